#include "benchmark/ratio.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace embedforge::benchmarking {
namespace {

/// The 97.5 % quantile of Student's t distribution, by degrees of freedom; from 30 on by the first
/// two terms of its expansion around the normal quantile z: z + (z^3 + z) / (4 n).
double t_quantile(size_t degrees) {
  static constexpr double kTable[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                                      2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
                                      2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
                                      2.060,  2.056, 2.052, 2.048, 2.045};
  if (degrees <= std::size(kTable)) return kTable[degrees - 1];
  constexpr double kNormal = 1.95996;
  return kNormal + (kNormal * kNormal * kNormal + kNormal) / (4 * static_cast<double>(degrees));
}

}  // namespace

Ratio paired_ratio(std::span<const double> base, std::span<const double> other) {
  const size_t n = std::min(base.size(), other.size());
  if (n == 0) return {};
  double sum = 0;
  double squares = 0;
  for (size_t i = 0; i < n; ++i) sum += std::log(base[i] / other[i]);
  const double mean = sum / static_cast<double>(n);
  for (size_t i = 0; i < n; ++i) {
    const double apart = std::log(base[i] / other[i]) - mean;
    squares += apart * apart;
  }
  if (n == 1) return {std::exp(mean), std::exp(mean), std::exp(mean)};
  const double error = std::sqrt(squares / static_cast<double>((n - 1) * n));
  const double half = t_quantile(n - 1) * error;
  return {std::exp(mean), std::exp(mean - half), std::exp(mean + half)};
}

double median(std::span<const double> values) {
  if (values.empty()) return 0;
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

}  // namespace embedforge::benchmarking
