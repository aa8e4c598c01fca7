// Takes: a graph. Gives: text for people, one node a line. Never: is parsed back.
#pragma once

#include <string>

#include "graph/graph.h"

namespace embedforge {

/// Inputs, outputs, opsets, initializers (type and shape) and nodes: `y[float32 batch,sequence,384]
/// = Add(a, b) {axis=1}`.
std::string print(const Graph& graph);
/// `float32 [batch, sequence, 384]`
std::string print(const ValueInfo& value);

}  // namespace embedforge
