#include "engine/round_weights.h"

#include <algorithm>
#include <cmath>

namespace embedforge {
namespace {

constexpr int kPairLimit = 128;

/// Squared error of a column rounded in steps of `scale`.
double column_error(const std::vector<float>& column, float scale) {
  const float inverse = 1.0F / scale;
  double error = 0;
  for (const float w : column) {
    const float d = w - scale * std::clamp(std::nearbyint(w * inverse), -127.0F, 127.0F);
    error += static_cast<double>(d) * d;
  }
  return error;
}

float best_scale(const std::vector<float>& column) {
  float largest = 0;
  for (const float w : column) largest = std::max(largest, std::abs(w));
  if (largest == 0) return 1.0F;
  constexpr int kTries = 16;
  float best = largest / 127.0F;
  double least = column_error(column, best);
  for (int i = 1; i < kTries; ++i) {
    const float scale = largest / 127.0F * (1.0F - 0.02F * static_cast<float>(i));
    const double error = column_error(column, scale);
    if (error < least) {
      least = error;
      best = scale;
    }
  }
  return best;
}

/// Takes the excess of a pair off where it costs the least: from both, evenly.
void limit_pair(int8_t& a, int8_t& b) {
  const int sum = a + b;
  const int excess = std::abs(sum) - kPairLimit;
  if (excess <= 0) return;
  const int sign = sum > 0 ? 1 : -1;
  a = static_cast<int8_t>(a - sign * (excess - excess / 2));
  b = static_cast<int8_t>(b - sign * (excess / 2));
}

}  // namespace

RoundedWeights round_weights(const float* w, int64_t k, int64_t n) {
  RoundedWeights out{std::vector<int8_t>(static_cast<size_t>(k * n)), std::vector<float>(static_cast<size_t>(n))};
  std::vector<float> column(static_cast<size_t>(k));
  for (int64_t c = 0; c < n; ++c) {
    for (int64_t i = 0; i < k; ++i) column[static_cast<size_t>(i)] = w[i * n + c];
    const float scale = best_scale(column);
    out.scales[static_cast<size_t>(c)] = scale;
    for (int64_t i = 0; i < k; ++i) {
      const float steps = std::clamp(std::nearbyint(column[static_cast<size_t>(i)] / scale), -127.0F, 127.0F);
      out.q[static_cast<size_t>(i * n + c)] = static_cast<int8_t>(steps);
    }
    for (int64_t i = 0; i + 1 < k; i += 2) {
      limit_pair(out.q[static_cast<size_t>(i * n + c)], out.q[static_cast<size_t>((i + 1) * n + c)]);
    }
  }
  return out;
}

}  // namespace embedforge
