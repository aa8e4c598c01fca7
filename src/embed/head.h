// Takes: what a model folder says of its vectors. Gives: the steps from token embeddings to a
// vector: pooling, then the Dense and LayerNorm modules of modules.json. Never: computes them
// (engine/head).
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "config/model_config.h"
#include "plan/program.h"

namespace embedforge {

/// `pooling`: instead of the config's. `hidden`: width of the token embeddings. Errors: kBadInput
/// and kNotSupported with file and field.
std::vector<HeadStep> read_head(const ModelConfig& config, const std::optional<Pooling>& pooling,
                                size_t hidden);

}  // namespace embedforge
