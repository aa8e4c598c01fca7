// Takes: graphs and tokens. Gives: how near one's sentence embeddings are to the other's. Never:
// changes a graph.
#pragma once

#include <vector>

#include "config/model_config.h"
#include "graph/graph.h"
#include "quantize/texts.h"

namespace embedforge::quantization {

/// Of each sequence, as the model folder pools; one after another.
std::vector<float> sentence_embeddings(const Graph& graph, const TokenBatch& batch,
                                       const ModelConfig& config, int threads);

/// Of each of `rows` rows, in ascending order. `b` may have more rows than are compared.
std::vector<double> row_cosines(const std::vector<float>& a, const std::vector<float>& b,
                                size_t rows, size_t width);

double mean(const std::vector<double>& values);

}  // namespace embedforge::quantization
