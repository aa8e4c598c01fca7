// Takes: operations. Gives: a slot for every value, shared by values that never live at once.
#pragma once

#include "engine/compile.h"

namespace embedforge {

template <typename Function>
void for_each_input(const Step& step, Function f) {
  std::visit(
      [&](const auto& s) {
        using T = std::decay_t<decltype(s)>;
        if constexpr (std::is_same_v<T, AddStep>) {
          f(s.a);
          f(s.b);
        } else if constexpr (std::is_same_v<T, GateStep>) {
          f(s.gate);
          if (s.up != s.gate) f(s.up);
        } else if constexpr (std::is_same_v<T, AttentionStep>) {
          f(s.q);
          if (s.k != s.q) f(s.k);
          if (s.v != s.q && s.v != s.k) f(s.v);
        } else if constexpr (!std::is_same_v<T, EmbedStep>) {
          f(s.in);
        }
      },
      step);
}

/// The values that an operation reads; `out_of` gives the one it defines.
std::vector<ValueId> inputs_of(const Op& op);
ValueId out_of(const Op& op);

/// Fills slot_of_value and slot_width. A value's slot is free again after the operation that reads
/// it last.
void assign_slots(Compiled& compiled);

}  // namespace embedforge
