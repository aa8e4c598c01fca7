#include "embed/head.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "checkpoint/checkpoint.h"
#include "checkpoint/dense.h"
#include "checkpoint/weights.h"
#include "embedforge/error.h"
#include "graph/tensor.h"

namespace embedforge {
namespace {

DenseLayer::Activation activation_of(const std::string& name) {
  using A = DenseLayer::Activation;
  static const std::map<std::string, A> kByName = {{"identity", A::kIdentity}, {"tanh", A::kTanh},
                                                   {"relu", A::kRelu},         {"gelu", A::kGelu},
                                                   {"sigmoid", A::kSigmoid},   {"silu", A::kSilu}};
  return kByName.at(name);
}

std::vector<float> floats_of(const TensorMap& tensors, const std::string& name,
                             const std::vector<int64_t>& dims, const std::string& folder) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw_bad_input(folder + ": its weights have no " + name);
  if (found->second.dims != dims) {
    throw_bad_input(folder + ": " + name + " is " + dims_text(found->second.dims) +
                    ", what comes before has " + dims_text(dims));
  }
  return to_floats(found->second);
}

DenseLayer read_dense(const HeadModule& module) {
  const DenseWeights weights = read_dense_weights(module);
  DenseLayer layer;
  layer.in = static_cast<size_t>(module.in_features);
  layer.out = static_cast<size_t>(module.out_features);
  layer.activation = activation_of(module.activation);
  const std::vector<float> rows = to_floats(weights.weight);
  layer.weight.resize(rows.size());
  for (size_t o = 0; o < layer.out; ++o) {
    for (size_t i = 0; i < layer.in; ++i) layer.weight[i * layer.out + o] = rows[o * layer.in + i];
  }
  layer.bias = to_floats(weights.bias);
  return layer;
}

LayerNormLayer read_layer_norm(const std::filesystem::path& folder, size_t width) {
  const Checkpoint checkpoint = read_checkpoint(folder);
  const auto n = static_cast<int64_t>(width);
  return {floats_of(checkpoint.tensors, "norm.weight", {n}, folder.string()),
          floats_of(checkpoint.tensors, "norm.bias", {n}, folder.string())};
}

float activated(DenseLayer::Activation activation, float x) {
  switch (activation) {
    case DenseLayer::Activation::kTanh:
      return std::tanh(x);
    case DenseLayer::Activation::kRelu:
      return std::max(x, 0.0F);
    case DenseLayer::Activation::kGelu:
      return 0.5F * x * (1 + std::erf(x * 0.70710678F));
    case DenseLayer::Activation::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case DenseLayer::Activation::kSilu:
      return x / (1 + std::exp(-x));
    case DenseLayer::Activation::kIdentity:
      break;
  }
  return x;
}

std::vector<float> apply_dense(const DenseLayer& layer, const std::vector<float>& x) {
  std::vector<float> y = layer.bias;
  for (size_t i = 0; i < layer.in; ++i) {
    const float factor = x[i];
    const float* row = layer.weight.data() + i * layer.out;
    for (size_t o = 0; o < layer.out; ++o) y[o] += factor * row[o];
  }
  for (float& value : y) value = activated(layer.activation, value);
  return y;
}

void apply_norm(const LayerNormLayer& layer, std::vector<float>& x) {
  const auto n = static_cast<double>(x.size());
  double sum = 0;
  for (const float value : x) sum += value;
  const double mean = sum / n;
  double squares = 0;
  for (const float value : x) squares += (value - mean) * (value - mean);
  const double scale = 1 / std::sqrt(squares / n + 1e-5);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>((x[i] - mean) * scale) * layer.gamma[i] + layer.beta[i];
}

PoolingMode mode_of(Pooling pooling) {
  switch (pooling) {
    case Pooling::kCls:
      return PoolingMode::kCls;
    case Pooling::kMax:
      return PoolingMode::kMax;
    case Pooling::kLast:
      return PoolingMode::kLast;
    case Pooling::kMeanSqrtLength:
      return PoolingMode::kMeanSqrtLength;
    case Pooling::kWeightedMean:
      return PoolingMode::kWeightedMean;
    case Pooling::kMean:
      break;
  }
  return PoolingMode::kMean;
}

}  // namespace

void pool(PoolingMode mode, const float* rows, size_t length, size_t skip, size_t hidden,
          float* out) {
  if (skip >= length) {
    std::fill_n(out, hidden, 0.0F);
    return;
  }
  if (mode == PoolingMode::kCls || mode == PoolingMode::kLast) {
    std::copy_n(rows + (mode == PoolingMode::kCls ? skip : length - 1) * hidden, hidden, out);
    return;
  }
  const bool weighted = mode == PoolingMode::kWeightedMean;
  double weights = 0;
  for (size_t r = skip; r < length; ++r) {
    const float* row = rows + r * hidden;
    const float weight = weighted ? static_cast<float>(r + 1) : 1.0F;
    weights += weight;
    if (r == skip) {
      for (size_t i = 0; i < hidden; ++i) out[i] = weight * row[i];
    } else if (mode == PoolingMode::kMax) {
      for (size_t i = 0; i < hidden; ++i) out[i] = std::max(out[i], row[i]);
    } else {
      for (size_t i = 0; i < hidden; ++i) out[i] += weight * row[i];
    }
  }
  if (mode == PoolingMode::kMax) return;
  const auto divisor =
      static_cast<float>(mode == PoolingMode::kMeanSqrtLength ? std::sqrt(weights) : weights);
  for (size_t i = 0; i < hidden; ++i) out[i] /= divisor;
}

Head::Head(const ModelConfig& config, const std::optional<Pooling>& pooling, size_t hidden)
    : modes_(pooling ? std::vector{mode_of(*pooling)} : config.pooling),
      hidden_(hidden),
      width_(hidden * modes_.size()) {
  for (const HeadModule& module : config.head) {
    Layer layer;
    if (module.kind == HeadModule::Kind::kDense) {
      layer.dense = read_dense(module);
      if (layer.dense->in != width_) {
        throw_bad_input((module.folder / "config.json").string() + ": in_features is " +
                        std::to_string(layer.dense->in) + ", but what comes before has " +
                        std::to_string(width_) + " values");
      }
      width_ = layer.dense->out;
    } else {
      layer.norm = read_layer_norm(module.folder, width_);
    }
    layers_.push_back(std::move(layer));
  }
}

std::optional<PoolingMode> Head::only_pooling() const {
  if (modes_.size() != 1 || !layers_.empty()) return std::nullopt;
  return modes_.front();
}

std::string Head::name() const {
  std::string name;
  for (const PoolingMode mode : modes_) {
    name += name.empty() ? "" : "+";
    name += pooling_mode_name(mode);
  }
  return name;
}

void Head::apply(const float* rows, size_t length, size_t skip, float* out) const {
  std::vector<float> vector(hidden_ * modes_.size());
  for (size_t m = 0; m < modes_.size(); ++m)
    pool(modes_[m], rows, length, skip, hidden_, vector.data() + m * hidden_);
  for (const Layer& layer : layers_) {
    if (layer.dense) {
      vector = apply_dense(*layer.dense, vector);
    } else {
      apply_norm(layer.norm, vector);
    }
  }
  std::copy(vector.begin(), vector.end(), out);
}

}  // namespace embedforge
