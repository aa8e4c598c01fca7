// Takes: what a graph and its model folder say of their vectors. Gives: the steps from token
// embeddings to a vector: pooling, then the Dense and LayerNorm modules of modules.json. Never:
// computes them (engine/head).
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "config/model_config.h"
#include "plan/program.h"

namespace embedforge {

/// Of the folder. `pooling`: instead of the config's. `hidden`: width of the token embeddings.
/// Errors: kBadInput and kNotSupported with file and field.
std::vector<HeadStep> read_head(const ModelConfig& config, const std::optional<Pooling>& pooling,
                                size_t hidden);

/// The graph's own pooling, and layers, where it gives no more than that; else the folder's.
/// Vectors keep their lengths; callers normalize as they are asked to.
std::vector<HeadStep> head_of(const Program& program, const ModelConfig& config,
                              const std::optional<Pooling>& pooling);

}  // namespace embedforge
