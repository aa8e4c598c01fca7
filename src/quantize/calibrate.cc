#include "quantize/calibrate.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <span>
#include <utility>

#include "engine/multiply.h"
#include "engine/observe.h"
#include "graph/tensor.h"
#include "plan/raise.h"
#include "quantize/input_rounding.h"

namespace embedforge::quantization {
namespace {

constexpr size_t kMeasuredRows = 1024;  // tokens that a product's error is taken of

/// By token; 1 on average. Each text counts alike, however long: its vector is what is kept, in
/// which the errors of many tokens even out.
std::vector<float> token_weights(const TokenBatch& batch) {
  std::vector<float> out;
  out.reserve(batch.ids.size());
  const auto mean = static_cast<float>(batch.ids.size()) / static_cast<float>(batch.sequences());
  for (size_t i = 0; i < batch.sequences(); ++i) {
    out.insert(out.end(), batch.length(i), mean / static_cast<float>(batch.length(i)));
  }
  return out;
}

std::vector<float> row_mean(const Rows& x, const std::vector<float>& weights) {
  std::vector<double> sum(x.width, 0);
  for (size_t r = 0; r < x.count; ++r) {
    for (size_t c = 0; c < sum.size(); ++c) sum[c] += weights[r] * x.row(r)[c];
  }
  std::vector<float> out;
  out.reserve(sum.size());
  for (const double s : sum) out.push_back(static_cast<float>(s / static_cast<double>(x.count)));
  return out;
}

std::vector<float> mean_squares(const Rows& x) {
  std::vector<float> out(x.width, 0);
  for (size_t r = 0; r < x.count; ++r) {
    for (size_t c = 0; c < out.size(); ++c) out[c] += x.row(r)[c] * x.row(r)[c];
  }
  for (float& v : out) v /= static_cast<float>(x.count);
  return out;
}

OwnedRows copy(const Rows& x) {
  OwnedRows out(x.count, x.width);
  std::copy_n(x.data, x.size(), out.data);
  return out;
}

/// At most kMeasuredRows of the rows, evenly spread.
OwnedRows sampled(const Rows& x) {
  OwnedRows out(std::min(x.count, kMeasuredRows), x.width);
  for (size_t r = 0; r < out.count; ++r)
    std::copy_n(x.row(r * x.count / out.count), x.width, out.row(r));
  return out;
}

/// x^T x, [width, width].
std::vector<float> moments(const Rows& x, ThreadPool& threads) {
  constexpr size_t kRows = 1024;  // a sum of floats at a time
  const OwnedRows out(x.width, x.width);
  std::fill_n(out.data, out.size(), 0.0F);
  for (size_t begin = 0; begin < x.count; begin += kRows) {
    const Rows part = x.part(begin, std::min(x.count, begin + kRows));
    const OwnedRows turned(x.width, part.count);
    for (size_t r = 0; r < part.count; ++r) {
      for (size_t c = 0; c < x.width; ++c) turned.row(c)[r] = part.row(r)[c];
    }
    multiply(turned, part, true, threads, out);
  }
  return {out.data, out.data + out.size()};
}

/// What is known of a step's input when its products are decided.
struct StepInput {
  InputRounding rounding;
  std::vector<float> mean_before, mean_after;  // by channel, exact and rounded
  std::vector<float> importance;  // by channel, mean squares of the rounded; 0 for float channels
  std::vector<float> moments;     // of the same, [k, k]; empty when weights are rounded to nearest
};

class Calibration {
 public:
  Calibration(const Graph& graph, const std::vector<Product>& products, const TokenBatch& batch,
              ThreadPool& threads, const CalibrateOptions& options)
      : graph_(graph),
        products_(products),
        token_weights_(token_weights(batch)),
        threads_(threads),
        options_(options) {
    for (size_t i = 0; i < products.size(); ++i) by_weight_[products[i].weight] = i;
    out_.products.resize(products.size());
    out_.errors.resize(products.size(), 0);
  }

  void decide(LinearStep& step, const Rows& x) {
    std::span<Weight> weights = step.weight.parts;
    if (weights.empty()) weights = {&step.weight, 1};
    std::vector<size_t> products;
    for (const Weight& weight : weights) {
      const auto found = by_weight_.find(weight.name);
      if (found == by_weight_.end()) return;  // stays float
      products.push_back(found->second);
    }
    const OwnedRows exact = copy(x);
    const StepInput input = round_input(products, x);
    int64_t column = 0;
    for (size_t j = 0; j < products.size(); ++j) {
      const Product& p = products_[products[j]];
      std::vector<float> effective = round(products[j], input, step.bias, column);
      measure(products[j], exact, x, effective);
      weights[j] = float_weight(std::move(effective), x.width, static_cast<size_t>(p.n));
      column += p.n;
      ++finished_;
      if (options_.progress) options_.progress(finished_, products_.size());
    }
  }

  Calibrated take() { return std::move(out_); }

 private:
  /// Decides about the input of these products and rounds it.
  StepInput round_input(const std::vector<size_t>& products, const Rows& x) {
    StepInput input;
    std::vector<float> largest_weights(x.width, 0);
    for (const size_t i : products) {
      const std::vector<float> w = to_floats(graph_.initializers.at(products_[i].weight));
      const auto n = static_cast<size_t>(products_[i].n);
      for (size_t at = 0; at < w.size(); ++at)
        largest_weights[at / n] = std::max(largest_weights[at / n], std::fabs(w[at]));
    }
    input.rounding = choose_rounding(x, largest_weights, options_.ranges);
    input.mean_before = row_mean(x, token_weights_);
    round_inputs(x, input.rounding);
    input.mean_after = row_mean(x, token_weights_);
    const OwnedRows integers = copy(x);
    for (size_t r = 0; r < x.count; ++r) {
      for (const size_t channel : input.rounding.float_channels) integers.row(r)[channel] = 0;
      const float root = std::sqrt(token_weights_[r]);
      for (size_t c = 0; c < x.width; ++c) integers.row(r)[c] *= root;
    }
    input.importance = mean_squares(integers);
    if (options_.by_inputs) input.moments = moments(integers, threads_);
    return input;
  }

  /// Decides product i, whose columns begin at `column` of the step, and corrects the step's bias.
  /// Gives the weight that the decision amounts to: of scaled channels, and of float ones.
  std::vector<float> round(size_t i, const StepInput& input, std::vector<float>& bias,
                           int64_t column) {
    const Product& p = products_[i];
    const InputRounding& rounding = input.rounding;
    QuantizedProduct& made = out_.products[i];
    made.input = rounding;
    const std::vector<float> original = to_floats(graph_.initializers.at(p.weight));
    std::vector<float> rest = original;
    for (int64_t k = 0; k < p.k; ++k) {
      const float scale = rounding.channel_scale[static_cast<size_t>(k)];
      const float factor = scale == 0 ? 0 : 1 / scale;
      for (int64_t n = 0; n < p.n; ++n) rest[static_cast<size_t>(k * p.n + n)] *= factor;
    }
    made.weight =
        options_.by_inputs
            ? round_by_inputs(rest, p.k, p.n, input.moments, options_.weights, threads_)
            : round_to_nearest(rest, p.k, p.n, input.importance, options_.weights, threads_);
    std::vector<float> effective(original.size());
    for (int64_t k = 0; k < p.k; ++k) {
      for (int64_t n = 0; n < p.n; ++n)
        effective[static_cast<size_t>(k * p.n + n)] = made.weight.value(k, n);
    }
    for (const int64_t channel : rounding.float_channels) {
      for (int64_t n = 0; n < p.n; ++n) {
        const auto at = static_cast<size_t>(channel * p.n + n);
        made.float_rows.push_back(float_to_half(original[at]));
        effective[at] = half_to_float(made.float_rows.back());
      }
    }
    if (p.bias.empty() || bias.empty()) return effective;
    made.bias = to_floats(graph_.initializers.at(p.bias));
    for (int64_t n = 0; n < p.n; ++n) {
      double lost = 0;
      for (int64_t k = 0; k < p.k; ++k) {
        const auto at = static_cast<size_t>(k * p.n + n);
        lost += static_cast<double>(input.mean_before[static_cast<size_t>(k)]) * original[at] -
                static_cast<double>(input.mean_after[static_cast<size_t>(k)]) * effective[at];
      }
      made.bias[static_cast<size_t>(n)] += static_cast<float>(lost);
      bias[static_cast<size_t>(column + n)] += static_cast<float>(lost);
    }
    return effective;
  }

  void measure(size_t i, const Rows& all_exact, const Rows& all_rounded,
               std::vector<float>& effective) {
    const Product& p = products_[i];
    const OwnedRows exact = sampled(all_exact);
    const OwnedRows rounded = sampled(all_rounded);
    const OwnedRows expected(exact.count, p.n);
    const OwnedRows got(exact.count, p.n);
    std::vector<float> original = to_floats(graph_.initializers.at(p.weight));
    multiply(exact, {original.data(), exact.width, expected.width}, false, threads_, expected);
    multiply(rounded, {effective.data(), exact.width, got.width}, false, threads_, got);
    double error = 0;
    double size = 0;
    for (size_t j = 0; j < expected.size(); ++j) {
      const double difference = expected.data[j] - got.data[j];
      error += difference * difference;
      size += static_cast<double>(expected.data[j]) * expected.data[j];
    }
    out_.errors[i] = size > 0 ? std::sqrt(error / size) : 0;
  }

  const Graph& graph_;
  const std::vector<Product>& products_;
  const std::vector<float> token_weights_;
  ThreadPool& threads_;
  const CalibrateOptions& options_;
  std::map<std::string, size_t> by_weight_;
  Calibrated out_;
  size_t finished_ = 0;
};

}  // namespace

Calibrated calibrate(const Graph& graph, const std::vector<Product>& products,
                     const TokenBatch& batch, ThreadPool& threads,
                     const CalibrateOptions& options) {
  const Program program = raise(graph);
  Calibration calibration(graph, products, batch, threads, options);
  observe(program, batch, threads,
          [&](LinearStep& step, const Rows& x) { calibration.decide(step, x); });
  return calibration.take();
}

}  // namespace embedforge::quantization
