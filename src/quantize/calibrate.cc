#include "quantize/calibrate.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "graph/tensor.h"
#include "plan/raise.h"
#include "quantize/calibration_run.h"

namespace embedforge::quantization {
namespace {

/// Channels of an input that stay float. More gain little: docs/quantization.md.
constexpr int64_t kFloatChannels = 8;
constexpr int64_t kChannelsForOne = 32;  // at most one in so many

std::vector<int64_t> largest_channels(const Rows& x) {
  std::vector<float> largest(static_cast<size_t>(x.width), 0);
  for (int64_t r = 0; r < x.rows; ++r) {
    for (size_t c = 0; c < largest.size(); ++c)
      largest[c] = std::max(largest[c], std::fabs(x.row(r)[c]));
  }
  std::vector<int64_t> order(largest.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  const int64_t count = std::min(kFloatChannels, x.width / kChannelsForOne);
  std::partial_sort(order.begin(), order.begin() + count, order.end(), [&](int64_t a, int64_t b) {
    return largest[static_cast<size_t>(a)] > largest[static_cast<size_t>(b)];
  });
  order.resize(static_cast<size_t>(count));
  std::sort(order.begin(), order.end());
  return order;
}

/// Each row to 255 steps between its bounds, without the float channels, and back.
void round_rows(Rows& x, const std::vector<int64_t>& float_channels) {
  std::vector<float> kept(float_channels.size());
  for (int64_t r = 0; r < x.rows; ++r) {
    float* row = x.row(r);
    for (size_t j = 0; j < kept.size(); ++j) kept[j] = std::exchange(row[float_channels[j]], 0.0F);
    const auto [low, high] = std::minmax_element(row, row + x.width);
    const float offset = *low;
    const float step = std::max((*high - offset) / 255.0F, 1e-15F);
    for (int64_t c = 0; c < x.width; ++c) {
      row[c] = offset + step * std::nearbyint((row[c] - offset) / step);
    }
    for (size_t j = 0; j < kept.size(); ++j) row[float_channels[j]] = kept[j];
  }
}

std::vector<float> row_mean(const Rows& x) {
  std::vector<double> sum(static_cast<size_t>(x.width), 0);
  for (int64_t r = 0; r < x.rows; ++r) {
    for (size_t c = 0; c < sum.size(); ++c) sum[c] += x.row(r)[c];
  }
  std::vector<float> out;
  out.reserve(sum.size());
  for (const double s : sum) out.push_back(static_cast<float>(s / static_cast<double>(x.rows)));
  return out;
}

/// Names of joined weights: "a | b | c" (plan/join_products.cc).
std::vector<std::string> split_names(const std::string& names) {
  std::vector<std::string> out;
  size_t begin = 0;
  for (size_t end = names.find(" | "); end != std::string::npos; end = names.find(" | ", begin)) {
    out.push_back(names.substr(begin, end - begin));
    begin = end + 3;
  }
  out.push_back(names.substr(begin));
  return out;
}

class Calibration {
 public:
  Calibration(const Graph& graph, const std::vector<Product>& products, ThreadPool& threads,
              const std::function<void(size_t, size_t)>& progress)
      : graph_(graph), products_(products), threads_(threads), progress_(progress) {
    for (size_t i = 0; i < products.size(); ++i) by_weight_[products[i].weight] = i;
    out_.products.resize(products.size());
    out_.errors.resize(products.size(), 0);
  }

  void decide(LinearStep& step, Rows& x) {
    std::vector<size_t> parts;
    for (const std::string& name : split_names(step.weight.name)) {
      const auto found = by_weight_.find(name);
      if (found == by_weight_.end()) return;  // stays float
      parts.push_back(found->second);
    }
    const std::vector<float> before = row_mean(x);
    Rows exact(x.rows, x.width);
    std::copy_n(x.row(0), x.rows * x.width, exact.row(0));
    const std::vector<int64_t> channels = largest_channels(x);
    round_rows(x, channels);
    const std::vector<float> after = row_mean(x);
    Rows masked(x.rows, x.width);
    std::copy_n(x.row(0), x.rows * x.width, masked.row(0));
    for (int64_t r = 0; r < x.rows; ++r) {
      for (const int64_t channel : channels) masked.row(r)[channel] = 0;
    }
    const std::vector<float> moment = moments(masked, threads_);
    std::vector<float> weight(static_cast<size_t>(step.weight.k * step.weight.n));
    int64_t column = 0;
    for (const size_t i : parts) {
      const std::vector<float> effective =
          round(i, channels, moment, before, after, step.bias, column);
      measure(i, exact, x, effective);
      for (int64_t k = 0; k < step.weight.k; ++k) {
        std::copy_n(effective.begin() + k * products_[i].n, products_[i].n,
                    weight.begin() + k * step.weight.n + column);
      }
      column += products_[i].n;
      ++finished_;
      if (progress_) progress_(finished_, products_.size());
    }
    step.weight.data = Tensor::from_floats({step.weight.k, step.weight.n}, std::move(weight));
    step.weight.transposed = false;
  }

  Calibrated take() { return std::move(out_); }

 private:
  /// Decides product i, whose columns begin at `column` of the step, and corrects the step's bias.
  /// Gives the weight that the decision amounts to.
  std::vector<float> round(size_t i, const std::vector<int64_t>& channels,
                           const std::vector<float>& moment, const std::vector<float>& before,
                           const std::vector<float>& after, std::vector<float>& bias,
                           int64_t column) {
    const Product& p = products_[i];
    QuantizedProduct& made = out_.products[i];
    const std::vector<float> original = to_floats(graph_.initializers.at(p.weight));
    std::vector<float> rest = original;
    made.float_channels = channels;
    for (const int64_t channel : channels) {
      const auto row = original.begin() + channel * p.n;
      made.float_rows.insert(made.float_rows.end(), row, row + p.n);
      std::fill_n(rest.begin() + channel * p.n, p.n, 0.0F);
    }
    made.weight = round_by_inputs(rest, p.k, p.n, moment, threads_);
    std::vector<float> effective(original.size());
    for (int64_t k = 0; k < p.k; ++k) {
      for (int64_t n = 0; n < p.n; ++n)
        effective[static_cast<size_t>(k * p.n + n)] = made.weight.value(k, n);
    }
    for (const int64_t channel : channels) {
      std::copy_n(original.begin() + channel * p.n, p.n, effective.begin() + channel * p.n);
    }
    if (p.bias.empty() || bias.empty()) return effective;
    made.bias = to_floats(graph_.initializers.at(p.bias));
    for (int64_t n = 0; n < p.n; ++n) {
      double lost = 0;
      for (int64_t k = 0; k < p.k; ++k) {
        const auto at = static_cast<size_t>(k * p.n + n);
        lost += static_cast<double>(before[static_cast<size_t>(k)]) * original[at] -
                static_cast<double>(after[static_cast<size_t>(k)]) * effective[at];
      }
      made.bias[static_cast<size_t>(n)] += static_cast<float>(lost);
      bias[static_cast<size_t>(column + n)] += static_cast<float>(lost);
    }
    return effective;
  }

  void measure(size_t i, const Rows& exact, const Rows& rounded,
               const std::vector<float>& effective) {
    const Product& p = products_[i];
    Rows expected(exact.rows, p.n);
    Rows got(exact.rows, p.n);
    const std::vector<float> original = to_floats(graph_.initializers.at(p.weight));
    multiply(exact, original, p.n, {}, kernels::Act::kNone, threads_, expected);
    multiply(rounded, effective, p.n, {}, kernels::Act::kNone, threads_, got);
    double error = 0;
    double size = 0;
    for (int64_t j = 0; j < exact.rows * p.n; ++j) {
      const double difference = expected.row(0)[j] - got.row(0)[j];
      error += difference * difference;
      size += static_cast<double>(expected.row(0)[j]) * expected.row(0)[j];
    }
    out_.errors[i] = size > 0 ? std::sqrt(error / size) : 0;
  }

  const Graph& graph_;
  const std::vector<Product>& products_;
  ThreadPool& threads_;
  const std::function<void(size_t, size_t)>& progress_;
  std::map<std::string, size_t> by_weight_;
  Calibrated out_;
  size_t finished_ = 0;
};

}  // namespace

Calibrated calibrate(const Graph& graph, const std::vector<Product>& products,
                     const TokenBatch& batch, ThreadPool& threads,
                     const std::function<void(size_t, size_t)>& progress) {
  const Program program = raise(graph);
  Calibration calibration(graph, products, threads, progress);
  CalibrationRun(program, batch, threads).run([&](LinearStep& step, Rows& x) {
    calibration.decide(step, x);
  });
  return calibration.take();
}

}  // namespace embedforge::quantization
