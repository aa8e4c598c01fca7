// Takes: a graph. Gives: the type and shape of every value between its nodes, as far as its
// operators are known. Never: fails on what it doesn't know; such a value stays unknown.
#pragma once

#include "graph/graph.h"

namespace embedforge {

/// Fills graph.values, and the shapes of graph.outputs that have none. Dimensions of the inputs
/// keep their names; a size that is neither fixed nor one of them (twice the batch, say) is "".
///
/// The graph is followed for two choices of sizes for the named dimensions, so shape arithmetic
/// needs no symbols: a size that is the same for both is fixed, and one that is a dimension's in
/// both is that dimension.
void infer_shapes(Graph& graph);

}  // namespace embedforge
