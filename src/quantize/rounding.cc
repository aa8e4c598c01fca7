#include "quantize/rounding.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "embedforge/error.h"

namespace embedforge::quantization {
namespace {

using Eigen::Index;
using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr double kDamping = 0.01;  // of the mean diagonal, as in the paper
/// Steps that are tried, of those that the largest weight needs.
constexpr std::array kScaleFactors = {1.0F, 0.96F, 0.92F, 0.88F, 0.84F, 0.8F, 0.75F};
constexpr Index kBlock = 64;  // channels whose errors go to the rest at once

constexpr int kMostPair = 128;  // vpmaddubsw: 255 * 128 < 2^15

/// To the nearest integer (the processor's rounding mode), for |x| < 2^22: vectors of it need no
/// call.
float nearest_integer(float x) {
  constexpr float kMagic = 12582912.0F;  // 1.5 * 2^23: its ulp is 1
  return (x + kMagic) - kMagic;
}

/// The steps of each column with which its weights fit the range.
std::vector<float> fitting_scales(std::span<const float> w, int64_t k, int64_t n,
                                  WeightRange range) {
  std::vector<float> out(static_cast<size_t>(n), 0);
  for (int64_t row = 0; row < k; ++row) {
    const float* from = w.data() + row * n;
    for (size_t c = 0; c < out.size(); ++c) out[c] = std::max(out[c], std::fabs(from[c]) / 127);
    if (range == WeightRange::kFull || row % 2 == 0) continue;
    for (size_t c = 0; c < out.size(); ++c) {
      const float pair = std::fabs(from[c] + from[static_cast<int64_t>(c) - n]);
      out[c] = std::max(out[c], pair / kMostPair);
    }
  }
  for (float& scale : out) scale = scale > 0 ? scale : 1.0F;
  return out;
}

/// The step that a weight may take beside `partner`, the other one of its 16-bit lane.
double nearest_beside(double steps, int partner, WeightRange range) {
  const bool alone = range == WeightRange::kFull;
  const double high = alone || partner <= 0 ? 127 : std::min(127, kMostPair - partner);
  const double low = alone || partner >= 0 ? -127 : std::max(-127, -kMostPair - partner);
  return std::clamp(std::nearbyint(steps), low, high);
}

/// Columns [first, first + count) of round_to_nearest.
void round_columns(std::span<const float> w, int64_t n, std::span<const float> importance,
                   WeightRange range, int64_t first, int64_t count, RoundedMatrix& out) {
  const auto columns = static_cast<size_t>(count);
  const auto k = static_cast<int64_t>(w.size()) / n;
  const std::vector<float> largest(out.scales.begin() + first, out.scales.begin() + first + count);
  std::vector<float> best(columns, std::numeric_limits<float>::max());
  std::vector<float> scale(columns);
  std::vector<float> inverse(columns);
  std::vector<float> error(columns);
  for (const float factor : kScaleFactors) {
    for (size_t c = 0; c < columns; ++c) {
      scale[c] = largest[c] * factor;
      inverse[c] = 1 / scale[c];
      error[c] = 0;
    }
    for (int64_t row = 0; row < k; ++row) {
      const float* from = w.data() + row * n + first;
      const float weight = importance.empty() ? 1 : importance[static_cast<size_t>(row)];
      for (size_t c = 0; c < columns; ++c) {
        const float q = std::min(127.0F, std::max(-127.0F, nearest_integer(from[c] * inverse[c])));
        const float lost = from[c] - q * scale[c];
        error[c] += weight * lost * lost;
      }
    }
    for (size_t c = 0; c < columns; ++c) {
      if (error[c] >= best[c]) continue;
      best[c] = error[c];
      out.scales[static_cast<size_t>(first) + c] = scale[c];
    }
  }
  for (int64_t row = 0; row < k; ++row) {
    for (int64_t c = first; c < first + count; ++c) {
      const auto at = static_cast<size_t>(row * n + c);
      const double steps = w[at] / out.scales[static_cast<size_t>(c)];
      const int partner = row % 2 == 1 ? out.q[at - static_cast<size_t>(n)] : 0;
      out.q[at] = static_cast<int8_t>(nearest_beside(steps, partner, range));
    }
  }
}

/// U, upper triangular, with U^T U the inverse of the damped moments in the given order. From the
/// Cholesky factor of the moments in reversed order, which read backwards is an upper triangular M
/// with M M^T = moments: U is M's inverse.
Matrix inverse_factor(std::span<const float> moments, const std::vector<Index>& order) {
  const auto k = static_cast<Index>(order.size());
  Matrix reversed(k, k);
  double diagonal = 0;
  for (Index i = 0; i < k; ++i) diagonal += moments[static_cast<size_t>(i * k + i)];
  if (!std::isfinite(diagonal))
    throw_bad_input("the model's activations on the calibration texts are not finite");
  const double damping = diagonal > 0 ? kDamping * diagonal / static_cast<double>(k) : 1;
  for (Index i = 0; i < k; ++i) {
    for (Index j = 0; j < k; ++j) {
      const Index row = order[static_cast<size_t>(k - 1 - i)];
      const Index column = order[static_cast<size_t>(k - 1 - j)];
      reversed(i, j) =
          moments[static_cast<size_t>(row * k + column)] + (row == column ? damping : 0);
    }
  }
  const Eigen::LLT<Matrix> factor(reversed);
  if (factor.info() != Eigen::Success)
    throw_bad_input("the calibration texts' activations can't be factored; give more texts");
  const Matrix lower = factor.matrixL();
  const Matrix upper = lower.reverse();
  Matrix inverse = Matrix::Identity(k, k);
  upper.triangularView<Eigen::Upper>().solveInPlace(inverse);
  return inverse;
}

}  // namespace

RoundedMatrix round_to_nearest(std::span<const float> w, int64_t k, int64_t n,
                               std::span<const float> importance, WeightRange range,
                               ThreadPool& threads) {
  RoundedMatrix out{k, n, range, std::vector<int8_t>(w.size()), fitting_scales(w, k, n, range)};
  threads.run([&](int member) {
    const int64_t first = n * member / threads.size();
    round_columns(w, n, importance, range, first, n * (member + 1) / threads.size() - first, out);
  });
  return out;
}

float round_row(std::span<const float> row, int8_t* q) {
  float largest = 0;
  for (const float x : row) largest = std::max(largest, std::fabs(x));
  const float step = largest > 0 ? largest / 127.0F : 1.0F;
  for (size_t i = 0; i < row.size(); ++i) {
    q[i] = static_cast<int8_t>(std::lrintf(std::clamp(row[i] / step, -127.0F, 127.0F)));
  }
  return step;
}

RoundedMatrix round_by_inputs(std::span<const float> w, int64_t k, int64_t n,
                              std::span<const float> moments, WeightRange range,
                              ThreadPool& threads) {
  RoundedMatrix out{k, n, range, std::vector<int8_t>(w.size()), fitting_scales(w, k, n, range)};
  std::vector<Index> order(static_cast<size_t>(k));
  std::iota(order.begin(), order.end(), Index{0});
  const auto moment = [&](Index i) { return moments[static_cast<size_t>(i * k + i)]; };
  std::stable_sort(order.begin(), order.end(),
                   [&](Index a, Index b) { return moment(a) > moment(b); });
  const Matrix u = inverse_factor(moments, order);
  threads.run([&](int member) {
    const int64_t first = n * member / threads.size();
    const int64_t count = n * (member + 1) / threads.size() - first;
    Matrix rest(k, count);
    for (Index i = 0; i < k; ++i) {
      for (Index c = 0; c < count; ++c)
        rest(i, c) = w[static_cast<size_t>(order[static_cast<size_t>(i)] * n + first + c)];
    }
    for (Index begin = 0; begin < k; begin += kBlock) {
      const Index end = std::min<Index>(begin + kBlock, k);
      Matrix errors(end - begin, count);
      for (Index i = begin; i < end; ++i) {
        const Index channel = order[static_cast<size_t>(i)];
        const auto row = static_cast<size_t>(channel * n + first);
        const auto beside = static_cast<size_t>(std::min<Index>(channel ^ 1, k - 1) * n + first);
        for (Index c = 0; c < count; ++c) {
          const double scale = out.scales[static_cast<size_t>(first + c)];
          const int8_t partner = out.q[beside + static_cast<size_t>(c)];  // 0 before its turn
          const double q = nearest_beside(rest(i, c) / scale, partner, range);
          out.q[row + static_cast<size_t>(c)] = static_cast<int8_t>(q);
          errors(i - begin, c) = (rest(i, c) - q * scale) / u(i, i);
        }
        for (Index j = i + 1; j < end; ++j) rest.row(j) -= u(i, j) * errors.row(i - begin);
      }
      if (end < k) {
        rest.bottomRows(k - end).noalias() -=
            u.block(begin, end, end - begin, k - end).transpose() * errors;
      }
    }
  });
  return out;
}

}  // namespace embedforge::quantization
