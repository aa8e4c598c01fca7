// Takes: a graph that verify() accepts. Gives: nothing, or the first operator whose inputs or
// attributes are of types that it can't have. Never: judges operators and values that it doesn't
// know.
#pragma once

#include <string>

#include "graph/graph.h"

namespace embedforge {

/// Subgraphs included. Error: kBadInput that starts with `what` (a file) and names the node, value
/// or attribute, and types, or the graph output whose declared type is another than its node makes.
void check_types(const Graph& graph, const std::string& what);

}  // namespace embedforge
