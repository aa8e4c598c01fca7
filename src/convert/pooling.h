// Takes: an encoder's graph with last_hidden_state. Gives: it with the output sentence_embedding,
// as modules.json describes it. Never: touches the encoder.
#pragma once

#include <cstdint>

#include "config/model_config.h"
#include "graph/graph.h"

namespace embedforge {

/// Adds sentence_embedding: float32 [batch, modes * hidden]. Modes are concatenated in the
/// configuration's order, and the result is L2-normalized when it says so. Sums run over the tokens
/// whose attention_mask is 1.
void add_pooling(Graph& graph, const ModelConfig& config, int64_t hidden_size);

}  // namespace embedforge
