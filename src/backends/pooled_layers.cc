#include "backends/pooled_layers.h"

#include <algorithm>
#include <cmath>

#include "embedforge/error.h"
#include "graph/tensor.h"

namespace embedforge {
namespace {

double activate(double x, Activation activation) {
  switch (activation) {
    case Activation::kGelu:
      return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
    case Activation::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kNone:
      break;
  }
  return x;
}

/// [out, in] floats of a weight as the graph has it.
std::vector<float> rows_of(const Weight& weight) {
  const std::vector<float> stored = to_floats(weight.data);
  const auto k = static_cast<size_t>(weight.k);
  const auto n = static_cast<size_t>(weight.n);
  std::vector<float> out(k * n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < k; ++j) {
      float value = stored[weight.transposed ? i * k + j : j * n + i];
      if (weight.quantized()) {
        value = weight.scales[i] * (value - static_cast<float>(weight.zero_points[i]));
        if (weight.activation && !weight.activation->channel_scale.empty()) {
          value *= weight.activation->channel_scale[j];
        }
      }
      out[i * k + j] = value;
    }
  }
  for (size_t c = 0; c < weight.float_channels.size(); ++c) {
    const auto j = static_cast<size_t>(weight.float_channels[c]);
    for (size_t i = 0; i < n; ++i) out[i * k + j] = weight.float_rows[c * n + i];
  }
  return out;
}

}  // namespace

PooledLayers::PooledLayers(const std::vector<LinearStep>& steps) {
  for (const LinearStep& step : steps) {
    const auto in = static_cast<size_t>(step.weight.k);
    const auto out = static_cast<size_t>(step.weight.n);
    std::vector<float> bias = step.bias;
    bias.resize(out);
    add({in, out, rows_of(step.weight), std::move(bias), step.activation},
        layers_.empty() ? in : layers_.back().out);
  }
}

void PooledLayers::add(Layer layer, size_t width) {
  if (layer.in != width) {
    throw_bad_input("a layer after the pooling takes " + std::to_string(layer.in) +
                    " values, and gets " + std::to_string(width));
  }
  layers_.push_back(std::move(layer));
}

size_t PooledLayers::width(size_t width) const {
  return layers_.empty() ? width : layers_.back().out;
}

std::vector<float> PooledLayers::apply(std::span<const float> rows, size_t count,
                                       size_t width) const {
  std::vector<float> now(rows.begin(), rows.begin() + static_cast<ptrdiff_t>(count * width));
  for (const Layer& layer : layers_) {
    std::vector<float> next(count * layer.out);
    for (size_t r = 0; r < count; ++r) {
      const float* x = now.data() + r * layer.in;
      for (size_t n = 0; n < layer.out; ++n) {
        const float* w = layer.weight.data() + n * layer.in;
        double sum = layer.bias[n];
        for (size_t k = 0; k < layer.in; ++k) sum += static_cast<double>(x[k]) * w[k];
        next[r * layer.out + n] = static_cast<float>(activate(sum, layer.activation));
      }
    }
    now = std::move(next);
  }
  return now;
}

}  // namespace embedforge
