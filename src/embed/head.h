// Takes: one text's token embeddings. Gives: its vector: pooled, then through the Dense and
// LayerNorm modules of modules.json. Never: normalizes; sees other texts.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "config/model_config.h"
#include "embedforge/embedder.h"

namespace embedforge {

/// y = activation(W x + b), with sentence_transformers.models.Dense's files.
struct DenseLayer {
  enum class Activation { kIdentity, kTanh, kRelu, kGelu, kSigmoid, kSilu };
  size_t in = 0, out = 0;
  std::vector<float> weight;  // [in, out]: transposed, so that the inner loop is over outputs
  std::vector<float> bias;    // out values
  Activation activation = Activation::kTanh;
};

/// y = (x - mean) / sqrt(variance + 1e-5) * gamma + beta. A model whose vectors may be cut
/// (Matryoshka) only after a layer norm, as nomic-embed-text-v1.5's, says so with this module.
struct LayerNormLayer {
  std::vector<float> gamma, beta;
};

class Head {
 public:
  /// `pooling`: instead of the config's. `hidden`: width of the token embeddings. Errors: kBadInput
  /// and kNotSupported with file and field.
  Head(const ModelConfig& config, const std::optional<Pooling>& pooling, size_t hidden);

  size_t width() const { return width_; }  // of the vectors
  /// The mode when the whole head is one pooling, else nullopt.
  std::optional<PoolingMode> only_pooling() const;
  /// "mean"; "cls+mean" for a concatenation.
  std::string name() const;

  /// `rows`: [length, hidden], at least one. Of them the first `skip` are the prompt's and left
  /// out (include_prompt false). Writes width() floats. Thread-safe.
  void apply(const float* rows, size_t length, size_t skip, float* out) const;

 private:
  struct Layer {
    std::optional<DenseLayer> dense;
    LayerNormLayer norm;
  };
  std::vector<PoolingMode> modes_;
  std::vector<Layer> layers_;
  size_t hidden_ = 0;
  size_t width_ = 0;
};

/// Pools rows [skip, length) into `hidden` floats. Weights of kWeightedMean: 1 for the text's first
/// token, 2 for its second, and so on. Nothing left gives zeros.
void pool(PoolingMode mode, const float* rows, size_t length, size_t skip, size_t hidden,
          float* out);

}  // namespace embedforge
