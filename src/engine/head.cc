#include "engine/head.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "embedforge/error.h"

namespace embedforge {

void pool(Pooling pooling, const float* rows, size_t length, size_t skip, size_t width,
          float* out) {
  if (skip >= length) {
    std::fill_n(out, width, 0.0F);
    return;
  }
  if (pooling == Pooling::kCls || pooling == Pooling::kLast) {
    std::copy_n(rows + (pooling == Pooling::kCls ? skip : length - 1) * width, width, out);
    return;
  }
  const bool weighted = pooling == Pooling::kWeightedMean;
  double weights = 0;
  for (size_t r = skip; r < length; ++r) {
    const float* row = rows + r * width;
    const float weight = weighted ? static_cast<float>(r + 1) : 1.0F;
    weights += weight;
    if (r == skip) {
      for (size_t i = 0; i < width; ++i) out[i] = weight * row[i];
    } else if (pooling == Pooling::kMax) {
      for (size_t i = 0; i < width; ++i) out[i] = std::max(out[i], row[i]);
    } else {
      for (size_t i = 0; i < width; ++i) out[i] += weight * row[i];
    }
  }
  if (pooling == Pooling::kMax) return;
  const auto divisor =
      static_cast<float>(pooling == Pooling::kMeanSqrtLength ? std::sqrt(weights) : weights);
  for (size_t i = 0; i < width; ++i) out[i] /= divisor;
}

std::string pooling_names(const std::vector<HeadStep>& head) {
  std::string names;
  for (const HeadStep& step : head) {
    const auto* pool = std::get_if<PoolStep>(&step);
    if (pool == nullptr) continue;
    for (const Pooling pooling : pool->poolings)
      names += (names.empty() ? "" : "+") + std::string(pooling_name(pooling));
  }
  return names;
}

Head::Head(const std::vector<HeadStep>& steps, size_t hidden) : hidden_(hidden) {
  for (const HeadStep& step : steps) std::visit([this](const auto& s) { add(s); }, step);
  if (poolings_.empty()) throw Error(ErrorCode::kBug, "a head without a pooling");
}

void Head::add(const PoolStep& step) {
  if (!poolings_.empty()) throw Error(ErrorCode::kBug, "a head with two pooling steps");
  poolings_ = step.poolings;
  width_ = hidden_ * poolings_.size();
}

void Head::add(const LinearStep& step) {
  const auto out = static_cast<size_t>(step.weight.n);
  Dense layer{width_, out, to_floats(step.weight), step.bias, step.activation};
  if (static_cast<size_t>(step.weight.k) != width_) {
    throw_bad_input("tensor '" + step.weight.name + "': a layer after the pooling takes " +
                    std::to_string(step.weight.k) + " values, and gets " + std::to_string(width_));
  }
  layer.bias.resize(out);
  layers_.emplace_back(std::move(layer));
  width_ = out;
}

void Head::add(const NormStep& step) { layers_.emplace_back(step); }
void Head::add(const NormalizeStep& step) { layers_.emplace_back(step); }

std::optional<Pooling> Head::only_pooling() const {
  return poolings_.size() == 1 ? std::optional(poolings_.front()) : std::nullopt;
}

void Head::run(const Dense& layer, std::vector<float>& x) {
  std::vector<double> sums(layer.bias.begin(), layer.bias.end());
  for (size_t i = 0; i < layer.in; ++i) {
    const double factor = x[i];
    const float* row = layer.weight.data() + i * layer.out;
    for (size_t o = 0; o < layer.out; ++o) sums[o] += factor * row[o];
  }
  x.resize(layer.out);
  for (size_t o = 0; o < layer.out; ++o)
    x[o] = static_cast<float>(activate(layer.activation, sums[o]));
}

void Head::run(const NormStep& layer, std::vector<float>& x) {
  const auto n = static_cast<double>(x.size());
  const bool centered = layer.kind == NormKind::kLayerNorm;
  const double mean = centered ? std::accumulate(x.begin(), x.end(), 0.0) / n : 0;
  double squares = 0;
  for (const float value : x) squares += (value - mean) * (value - mean);
  const double scale = 1 / std::sqrt(squares / n + static_cast<double>(layer.epsilon));
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<float>((x[i] - mean) * scale) * layer.gamma[i] +
           (layer.beta.empty() ? 0 : layer.beta[i]);
  }
}

void Head::run(const NormalizeStep&, std::vector<float>& x) {
  double squares = 0;
  for (const float value : x) squares += static_cast<double>(value) * value;
  const double length = std::max(std::sqrt(squares), 1e-12);
  for (float& value : x) value = static_cast<float>(value / length);
}

void Head::apply(const float* rows, size_t length, size_t skip, float* out) const {
  if (layers_.empty() && poolings_.size() == 1) {
    pool(poolings_.front(), rows, length, skip, hidden_, out);
    return;
  }
  std::vector<float> vector(hidden_ * poolings_.size());
  for (size_t p = 0; p < poolings_.size(); ++p)
    pool(poolings_[p], rows, length, skip, hidden_, vector.data() + p * hidden_);
  for (const Layer& layer : layers_) std::visit([&](const auto& l) { run(l, vector); }, layer);
  std::copy(vector.begin(), vector.end(), out);
}

}  // namespace embedforge
