// Takes: a graph. Gives: it with one kind of thing rewritten; each pass is in the file of its name.
// Never: depends on another pass having run.
//
// A fusion rewrites the last node of what it replaces, so that the inner nodes stay as long as
// something else uses their values, and are dead otherwise.
#pragma once

#include "graph/graph.h"

namespace embedforge::passes {

void fold_constants(Graph& graph);
void fold_shapes(Graph& graph);
void remove_identities(Graph& graph);
void simplify_layout(Graph& graph);
void merge_duplicates(Graph& graph);
void remove_dead(Graph& graph);
void fuse_layer_norm(Graph& graph);
void fuse_gelu(Graph& graph);
void fuse_gemm(Graph& graph);
void fuse_embedding(Graph& graph);
void fuse_attention(Graph& graph);
void fuse_skip_norm(Graph& graph);
void fuse_bias_gelu(Graph& graph);
void fuse_matmul(Graph& graph);
void join_projections(Graph& graph);
void split_skip_norm(Graph& graph);
void share_weights(Graph& graph);

}  // namespace embedforge::passes
