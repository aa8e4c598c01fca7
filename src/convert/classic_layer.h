// Takes: the names that an architecture of the BERT kind gives its tensors. Gives: its layers as
// nodes. Never: knows how the embeddings are made.
#pragma once

#include <cstdint>
#include <string>

#include "convert/blocks.h"

namespace embedforge {

/// Sizes, and the names within a layer, of BERT, RoBERTa, DistilBERT and MPNet.
struct ClassicLayer {
  int64_t hidden = 0, heads = 0, inner = 0;
  std::string activation;
  float epsilon = 1e-12F;
  const char *q, *k, *v, *attention_out, *attention_norm, *up, *down, *out_norm;
};

/// norm(x + down(activation(up(x)))) of x = norm(hidden + out(attention(hidden))); the last node is
/// called `output`.
std::string classic_layer(Blocks& blocks, const ClassicLayer& layer, const std::string& name,
                          const std::string& hidden, const std::string& mask,
                          const std::string& output);

}  // namespace embedforge
