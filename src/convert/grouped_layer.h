// The parts of a decoder's layer that Qwen3 and Gemma 3 have under the same names: attention whose
// heads share heads of k and v, with norms and rotary positions of q and k, and a gated
// feed-forward layer.
#pragma once

#include "convert/architectures.h"
#include "convert/blocks.h"

namespace embedforge {

struct GroupedLayer {
  /// `kv_heads`, `head_size`: where config.json doesn't say. Errors: kBadInput for numbers that
  /// don't go together.
  GroupedLayer(const JsonFile& config, int64_t kv_heads, int64_t head_size);

  int64_t hidden, heads, kv_heads, head_size, inner;
  float epsilon;
  float scale;            // of q k^T
  float norm_offset = 0;  // what is added to the weights of norms
  std::string activation;
  Bias bias;

  /// RMSNorm over `width` values.
  std::string norm(Blocks& blocks, const std::string& name, const std::string& x, int64_t width,
                   const std::string& output) const;
  std::string norm(Blocks& blocks, const std::string& name, const std::string& x) const {
    return norm(blocks, name, x, hidden, name + ".output");
  }
  /// NAME.{q,k,v,o}_proj, NAME.{q,k}_norm; `theta`: the base of the rotary positions.
  std::string attention(Blocks& blocks, const std::string& name, const std::string& x, double theta,
                        const std::string& mask) const;
  /// NAME.{gate,up,down}_proj
  std::string feed_forward(Blocks& blocks, const std::string& name, const std::string& x) const;
};

}  // namespace embedforge
