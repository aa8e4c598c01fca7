// Takes: a graph. Gives: the type and shape of every value between its nodes, as far as its
// operators are known. Never: fails on what it doesn't know; such a value stays unknown.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/shape_rules.h"

namespace embedforge {

/// Fills graph.values, and the shapes of graph.outputs that have none. Dimensions of the inputs
/// keep their names; a size that is neither fixed nor one of them (twice the batch, say) is "".
///
/// The graph is followed for two choices of sizes for the named dimensions, so shape arithmetic
/// needs no symbols: a size that is the same for both is fixed, and one that is a dimension's in
/// both is that dimension.
void infer_shapes(Graph& graph);

using DimsOf = std::function<std::optional<std::vector<int64_t>>(const ValueInfo& input)>;
/// Every value of the graph for one choice of sizes, those that `dims_of` gives for the inputs.
/// What isn't known, or what the sizes don't suit, is left out.
std::map<std::string, Shadow> follow_shapes(const Graph& graph, const DimsOf& dims_of);

}  // namespace embedforge
