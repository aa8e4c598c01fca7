// Takes: a graph. Gives: nothing, or the first thing that makes it no valid graph. Never: changes
// it.
#pragma once

#include <string>

#include "graph/graph.h"

namespace embedforge {

/// Order, definitions, unique names, sizes and opsets, subgraphs included.
/// Error: kBadInput that starts with `what` (a file or a pass) and names the node, value or tensor.
void verify(const Graph& graph, const std::string& what);

}  // namespace embedforge
