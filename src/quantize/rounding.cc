#include "quantize/rounding.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "embedforge/error.h"

namespace embedforge::quantization {
namespace {

using Eigen::Index;
using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr double kDamping = 0.01;  // of the mean diagonal, as in the paper
constexpr Index kBlock = 64;       // channels whose errors go to the rest at once

std::vector<float> column_scales(std::span<const float> w, int64_t k, int64_t n) {
  std::vector<float> out(static_cast<size_t>(n), 0);
  for (int64_t row = 0; row < k; ++row) {
    for (int64_t c = 0; c < n; ++c) {
      float& largest = out[static_cast<size_t>(c)];
      largest = std::max(largest, std::fabs(w[static_cast<size_t>(row * n + c)]));
    }
  }
  for (float& scale : out) scale = scale > 0 ? scale / 127.0F : 1.0F;
  return out;
}

double nearest(double steps) { return std::clamp(std::nearbyint(steps), -127.0, 127.0); }

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

RoundedMatrix round_to_nearest(std::span<const float> w, int64_t k, int64_t n) {
  RoundedMatrix out{k, n, std::vector<int8_t>(w.size()), column_scales(w, k, n)};
  for (size_t i = 0; i < w.size(); ++i) {
    out.q[i] = static_cast<int8_t>(nearest(w[i] / out.scales[i % static_cast<size_t>(n)]));
  }
  return out;
}

RoundedMatrix round_by_inputs(std::span<const float> w, int64_t k, int64_t n,
                              std::span<const float> moments, ThreadPool& threads) {
  RoundedMatrix out{k, n, std::vector<int8_t>(w.size()), column_scales(w, k, n)};
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
        const auto row = static_cast<size_t>(order[static_cast<size_t>(i)] * n + first);
        for (Index c = 0; c < count; ++c) {
          const double scale = out.scales[static_cast<size_t>(first + c)];
          const double q = nearest(rest(i, c) / scale);
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
