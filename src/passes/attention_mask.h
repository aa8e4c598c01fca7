// Takes: what a graph adds to attention scores, or chooses between them by. Gives: whether that is
// the padding of the mask input, a bias, or something else. Never: assumes from an operator's name.
#pragma once

#include <string>

#include "passes/editor.h"
#include "passes/shapes.h"

namespace embedforge::passes {

struct MaskEffect {
  enum class Kind { kNone, kPadding, kBias, kOther };
  Kind kind = Kind::kOther;
  float masked_score = 0;  // of kPadding
};

/// `value` is added to scores [batch, heads, sequence, sequence].
MaskEffect effect_of_addend(const Shapes& shapes, const std::string& value);
/// Scores stay where `value` equals `keep`, and are `other` elsewhere.
MaskEffect effect_of_choice(const Shapes& shapes, const std::string& value, bool keep,
                            double other);

}  // namespace embedforge::passes
