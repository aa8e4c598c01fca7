// Takes: a value x * cos + rotate_half(x) * sin, however it is written. Gives: its parts. Never:
// accepts angles that differ between sequences or heads.
#pragma once

#include <optional>
#include <string>

#include "passes/editor.h"
#include "passes/shapes.h"

namespace embedforge::passes {

/// Rotary position embedding of whole heads, halves apart: for d < D/2, with a = angle(s, d),
/// out[d] = x[d] cos a - x[d + D/2] sin a and out[d + D/2] = x[d + D/2] cos a + x[d] sin a.
struct Rotary {
  std::string input;  // [batch, sequence, heads, D] or [batch, heads, sequence, D]
  std::string cos;    // D numbers a position, the second half equal to the first
  std::string sin;
  int64_t head_size = 0;
};

std::optional<Rotary> match_rotary(const Editor& editor, const Shapes& shapes,
                                   const std::string& value);

}  // namespace embedforge::passes
