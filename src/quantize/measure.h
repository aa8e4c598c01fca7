// Takes: graphs and tokens. Gives: how near one's sentence embeddings are to the other's. Never:
// changes a graph.
#pragma once

#include <vector>

#include "base/token_batch.h"
#include "graph/graph.h"
#include "plan/program.h"

namespace embedforge::quantization {

/// Of each sequence, one after another: what users get of it, but for its length. `head`: the model
/// folder's, for a graph that gives token embeddings. Of a cross-encoder what its layers get, since
/// one score has no direction. Errors: as raise() and Engine.
std::vector<float> sentence_embeddings(const Graph& graph, const TokenBatch& batch,
                                       const std::vector<HeadStep>& head, int threads);

/// Of each of `rows` rows, in ascending order. `b` may have more rows than are compared.
std::vector<double> row_cosines(const std::vector<float>& a, const std::vector<float>& b,
                                size_t rows, size_t width);

double mean(const std::vector<double>& values);

}  // namespace embedforge::quantization
