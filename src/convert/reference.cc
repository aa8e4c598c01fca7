#include "convert/reference.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/activation.h"
#include "embedforge/error.h"

namespace embedforge {
namespace {

/// Rows of doubles.
struct Rows {
  size_t count = 0;
  size_t width = 0;
  std::vector<double> values;

  Rows(size_t rows, size_t columns) : count(rows), width(columns), values(rows * columns) {}
  double* row(size_t i) { return values.data() + i * width; }
  const double* row(size_t i) const { return values.data() + i * width; }
};

class Reference {
 public:
  Reference(const BertConfig& config, const TensorMap& weights)
      : config_(config), weights_(weights) {}

  Rows run(std::span<const int32_t> ids) const {
    Rows hidden = embed(ids);
    for (int64_t i = 0; i < config_.layers; ++i) {
      const std::string layer = "encoder.layer." + std::to_string(i);
      Rows attended = linear(layer + ".attention.output.dense", attend(layer, hidden));
      add(attended, hidden);
      normalize(layer + ".attention.output.LayerNorm", attended);
      Rows inner = linear(layer + ".intermediate.dense", attended);
      for (double& x : inner.values) x = activate(x);
      hidden = linear(layer + ".output.dense", inner);
      add(hidden, attended);
      normalize(layer + ".output.LayerNorm", hidden);
    }
    return hidden;
  }

 private:
  std::span<const float> tensor(const std::string& name) const {
    return weights_.at(name).as<float>();
  }

  Rows embed(std::span<const int32_t> ids) const {
    const auto width = static_cast<size_t>(config_.hidden_size);
    const auto words = tensor("embeddings.word_embeddings.weight");
    const auto places = tensor("embeddings.position_embeddings.weight");
    const auto types = tensor("embeddings.token_type_embeddings.weight");
    Rows rows(ids.size(), width);
    for (size_t t = 0; t < ids.size(); ++t) {
      const auto word = static_cast<size_t>(ids[t]) * width;
      for (size_t j = 0; j < width; ++j) {
        rows.row(t)[j] = static_cast<double>(words[word + j]) + places[t * width + j] + types[j];
      }
    }
    normalize("embeddings.LayerNorm", rows);
    return rows;
  }

  static void add(Rows& rows, const Rows& other) {
    for (size_t i = 0; i < rows.values.size(); ++i) rows.values[i] += other.values[i];
  }

  /// (x - mean) / sqrt(variance + epsilon) * gamma + beta
  void normalize(const std::string& name, Rows& rows) const {
    const auto gamma = tensor(name + ".weight");
    const auto beta = tensor(name + ".bias");
    const auto width = static_cast<double>(rows.width);
    for (size_t t = 0; t < rows.count; ++t) {
      double* x = rows.row(t);
      double mean = 0;
      for (size_t j = 0; j < rows.width; ++j) mean += x[j] / width;
      double variance = 0;
      for (size_t j = 0; j < rows.width; ++j) variance += (x[j] - mean) * (x[j] - mean) / width;
      const double scale = 1 / std::sqrt(variance + static_cast<double>(config_.epsilon));
      for (size_t j = 0; j < rows.width; ++j) x[j] = (x[j] - mean) * scale * gamma[j] + beta[j];
    }
  }

  /// y[n] = sum_k x[k] * weight[n, k] + bias[n]
  Rows linear(const std::string& name, const Rows& input) const {
    const auto weight = tensor(name + ".weight");
    const auto bias = tensor(name + ".bias");
    Rows output(input.count, bias.size());
    for (size_t t = 0; t < input.count; ++t) {
      for (size_t n = 0; n < output.width; ++n) {
        double sum = bias[n];
        const float* row = weight.data() + n * input.width;
        for (size_t k = 0; k < input.width; ++k) sum += input.row(t)[k] * row[k];
        output.row(t)[n] = sum;
      }
    }
    return output;
  }

  /// softmax(q k^T / sqrt(head size)) v for each head, the heads side by side.
  Rows attend(const std::string& layer, const Rows& hidden) const {
    const Rows q = linear(layer + ".attention.self.query", hidden);
    const Rows k = linear(layer + ".attention.self.key", hidden);
    const Rows v = linear(layer + ".attention.self.value", hidden);
    const auto size = static_cast<size_t>(config_.head_size());
    const double scale = 1 / std::sqrt(static_cast<double>(size));
    Rows output(hidden.count, hidden.width);
    std::vector<double> weights(hidden.count);
    for (size_t first = 0; first < hidden.width; first += size) {
      for (size_t i = 0; i < hidden.count; ++i) {
        for (size_t j = 0; j < hidden.count; ++j) {
          double dot = 0;
          for (size_t c = first; c < first + size; ++c) dot += q.row(i)[c] * k.row(j)[c];
          weights[j] = dot * scale;
        }
        softmax(weights);
        for (size_t j = 0; j < hidden.count; ++j) {
          for (size_t c = first; c < first + size; ++c)
            output.row(i)[c] += weights[j] * v.row(j)[c];
        }
      }
    }
    return output;
  }

  static void softmax(std::vector<double>& x) {
    const double largest = *std::max_element(x.begin(), x.end());
    double sum = 0;
    for (double& value : x) sum += value = std::exp(value - largest);
    for (double& value : x) value /= sum;
  }

  double activate(double x) const {
    const std::string& name = config_.activation;
    if (name == "swish") return embedforge::activate(Activation::kSilu, x);
    if (name == "gelu_new" || name == "gelu_pytorch_tanh")
      return embedforge::activate(Activation::kGeluTanh, x);
    return embedforge::activate(activation_of(name).value(), x);
  }

  const BertConfig& config_;
  const TensorMap& weights_;
};

}  // namespace

std::vector<double> bert_reference(const BertConfig& config, const TensorMap& weights,
                                   std::span<const int32_t> ids) {
  if (ids.empty() || static_cast<int64_t>(ids.size()) > config.max_positions) {
    throw_bad_input(std::to_string(ids.size()) + " tokens; the model takes 1 to " +
                    std::to_string(config.max_positions));
  }
  for (const int32_t id : ids) {
    if (id < 0 || id >= config.vocabulary) {
      throw_bad_input("token id " + std::to_string(id) + " is beyond the model's vocabulary of " +
                      std::to_string(config.vocabulary));
    }
  }
  return Reference(config, weights).run(ids).values;
}

}  // namespace embedforge
