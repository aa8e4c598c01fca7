// Takes: a Dense module of sentence-transformers. Gives: its checked weights. Never: guesses a
// shape.
#pragma once

#include "config/model_config.h"
#include "graph/graph.h"

namespace embedforge {

struct DenseWeights {
  Tensor weight;  // float32 [out, in]
  Tensor bias;    // float32 [out]; zeros where the module has none
};

/// Errors: kBadInput naming the file or tensor that is missing or has another shape than
/// config.json says.
DenseWeights read_dense_weights(const HeadModule& module);

}  // namespace embedforge
