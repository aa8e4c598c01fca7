// Takes: a float matrix. Gives: int8 with a scale per column. Never: sees activations (see
// quantize/ for rounding that does).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace embedforge {

/// w(k, n) ~ scales[n] * q[k * n_count + n], symmetric, |q| <= 127.
struct RoundedWeights {
  std::vector<int8_t> q;
  std::vector<float> scales;
};

/// Rounds to nearest. A column's steps are as large as its largest weight needs, and its largest
/// sum of two weights of one sign that meet in a 16-bit lane (k = 2i, 2i + 1; at most 128), so that
/// every instruction set computes the same exact sums at full speed.
RoundedWeights round_weights(const float* w, size_t k, size_t n);

}  // namespace embedforge
