#include "engine/slots.h"

#include <algorithm>

namespace embedforge {

void assign_slots(Compiled& c) {
  constexpr auto kNoSlot = static_cast<size_t>(-1);
  std::vector<size_t> last_use(c.widths.size(), 0);
  for (size_t i = 0; i < c.ops.size(); ++i) {
    for (const ValueId v : c.ops[i].in) last_use[v] = i;
  }
  last_use[c.hidden] = c.ops.size();
  c.slot_of_value.assign(c.widths.size(), kNoSlot);
  std::vector<bool> taken;
  for (size_t i = 0; i < c.ops.size(); ++i) {
    const Op& op = c.ops[i];
    const size_t width = c.widths[op.out];
    size_t slot = kNoSlot;
    // Heads are changed in place where nothing else reads their value later.
    const bool in_place = std::holds_alternative<HeadsOp>(op.as) && last_use[op.in[0]] == i;
    if (in_place) slot = c.slot_of_value[op.in[0]];
    for (size_t s = 0; s < taken.size(); ++s) {
      if (!in_place && !taken[s] && c.slot_width[s] == width) slot = s;
    }
    if (slot == kNoSlot) {
      slot = taken.size();
      taken.push_back(false);
      c.slot_width.push_back(width);
    }
    taken[slot] = true;
    c.slot_of_value[op.out] = slot;
    std::vector<ValueId> read = in_place ? std::vector<ValueId>() : op.in;
    read.push_back(op.out);
    for (const ValueId v : read) {
      if (last_use[v] <= i) taken[c.slot_of_value[v]] = false;
    }
  }
}

}  // namespace embedforge
