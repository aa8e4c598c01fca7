#include "engine/slots.h"

#include <algorithm>

namespace embedforge {

std::vector<ValueId> inputs_of(const Op& op) {
  return std::visit(
      [](const auto& o) -> std::vector<ValueId> {
        using T = std::decay_t<decltype(o)>;
        if constexpr (std::is_same_v<T, EmbedOp>) {
          return {};
        } else if constexpr (std::is_same_v<T, LinearOp> || std::is_same_v<T, FeedForwardOp>) {
          return o.add < 0 ? std::vector<ValueId>{o.in} : std::vector<ValueId>{o.in, o.add};
        } else if constexpr (std::is_same_v<T, AttentionOp>) {
          return {o.step.q, o.step.k, o.step.v};
        } else if constexpr (std::is_same_v<T, HeadsOp>) {
          return {o.step.in};
        } else if constexpr (std::is_same_v<T, NormOp>) {
          return {o.in};
        } else if constexpr (std::is_same_v<T, AddStep>) {
          return {o.a, o.b};
        } else {
          return {o.gate, o.up};
        }
      },
      op);
}

ValueId out_of(const Op& op) {
  return std::visit(
      [](const auto& o) {
        using T = std::decay_t<decltype(o)>;
        if constexpr (std::is_same_v<T, AttentionOp> || std::is_same_v<T, HeadsOp>) {
          return o.step.out;
        } else {
          return o.out;
        }
      },
      op);
}

void assign_slots(Compiled& c) {
  std::vector<size_t> last_use(c.widths.size(), 0);
  for (size_t i = 0; i < c.ops.size(); ++i) {
    for (const ValueId v : inputs_of(c.ops[i])) last_use[static_cast<size_t>(v)] = i;
  }
  last_use[static_cast<size_t>(c.hidden)] = c.ops.size();
  c.slot_of_value.assign(c.widths.size(), -1);
  std::vector<bool> taken;
  for (size_t i = 0; i < c.ops.size(); ++i) {
    const ValueId out = out_of(c.ops[i]);
    const auto width = static_cast<int>(c.widths[static_cast<size_t>(out)]);
    int slot = -1;
    // Heads are changed in place where nothing else reads their value later.
    const auto* heads = std::get_if<HeadsOp>(&c.ops[i]);
    const bool in_place = heads != nullptr && last_use[static_cast<size_t>(heads->step.in)] == i;
    if (in_place) slot = c.slot_of_value[static_cast<size_t>(heads->step.in)];
    for (size_t s = 0; s < taken.size(); ++s) {
      if (!in_place && !taken[s] && c.slot_width[s] == width) slot = static_cast<int>(s);
    }
    if (slot < 0) {
      slot = static_cast<int>(taken.size());
      taken.push_back(false);
      c.slot_width.push_back(width);
    }
    taken[static_cast<size_t>(slot)] = true;
    c.slot_of_value[static_cast<size_t>(out)] = slot;
    std::vector<ValueId> read = inputs_of(c.ops[i]);
    if (in_place) read.clear();
    read.push_back(out);
    for (const ValueId v : read) {
      if (last_use[static_cast<size_t>(v)] <= i)
        taken[static_cast<size_t>(c.slot_of_value[static_cast<size_t>(v)])] = false;
    }
  }
}

}  // namespace embedforge
