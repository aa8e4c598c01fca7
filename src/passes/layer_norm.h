// Takes: the last node of a LayerNormalization, written out or one operator. Gives: its parts.
// Never: accepts one over more than the last axis.
#pragma once

#include <optional>
#include <string>

#include "passes/editor.h"
#include "passes/probes.h"

namespace embedforge::passes {

/// (x - mean) / sqrt(variance + epsilon) * gamma + beta over the last axis, in float32.
struct LayerNorm {
  std::string input;
  std::string gamma;  // constants [width]
  std::string beta;
  float epsilon = 0;
};

std::optional<LayerNorm> match_layer_norm(const Editor& editor, const Probes& probes,
                                          const Node& node);

}  // namespace embedforge::passes
