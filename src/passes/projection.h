// Takes: a value. Gives: the product (and bias) with constant weights that makes it. Never: accepts
// one whose weights are quantized.
#pragma once

#include <optional>
#include <string>

#include "passes/editor.h"

namespace embedforge::passes {

/// input * weight + bias
struct Projection {
  std::string input;
  std::string weight;  // a constant [k, n]
  std::string bias;    // a constant [n], or ""
  const Tensor* weights = nullptr;
  const Tensor* biases = nullptr;
};

std::optional<Projection> match_projection(const Editor& editor, const std::string& value);

}  // namespace embedforge::passes
