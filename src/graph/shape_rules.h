// Takes: a node and what is known of its inputs for one choice of sizes. Gives: the same of its
// outputs. Never: computes floats.
#pragma once

#include <optional>
#include <vector>

#include "graph/graph.h"

namespace embedforge {

/// A value for one choice of sizes.
struct Shadow {
  DataType type = DataType::kUndefined;
  std::vector<int64_t> dims;
  std::optional<Tensor> content;  // of shapes, indices and small constants
};
using Shadows = std::vector<std::optional<Shadow>>;

/// One for each output; nullopt for what isn't known. `inputs` holds nullopt for what isn't known
/// or is left out. Error: kBadInput when the shapes contradict each other.
Shadows infer_node(const Node& node, const Shadows& inputs, int64_t opset);

}  // namespace embedforge
