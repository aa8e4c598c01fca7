#include "engine/round_weights.h"

#include <algorithm>
#include <cmath>

namespace embedforge {
namespace {

constexpr float kLargest = 127;
constexpr float kPairLimit =
    127;  // one below vpmaddubsw's 128: rounding may add a half to each of the two

}  // namespace

RoundedWeights round_weights(const float* w, size_t k, size_t n) {
  RoundedWeights out{std::vector<int8_t>(k * n), std::vector<float>(n, 0.0F)};
  // the steps that each column's largest weight and largest pair need
  for (size_t i = 0; i < k; ++i) {
    const float* row = w + i * n;
    const float* partner = i % 2 == 1 ? row - n : row;
    for (size_t c = 0; c < n; ++c) {
      const float pair = i % 2 == 1 ? std::abs(row[c] + partner[c]) / kPairLimit : 0.0F;
      out.scales[c] = std::max({out.scales[c], std::abs(row[c]) / kLargest, pair});
    }
  }
  std::vector<float> inverse(n);
  for (size_t c = 0; c < n; ++c) {
    if (out.scales[c] == 0) out.scales[c] = 1;
    inverse[c] = 1 / out.scales[c];
  }
  for (size_t i = 0; i < k; ++i) {
    const float* row = w + i * n;
    int8_t* q = out.q.data() + i * n;
    for (size_t c = 0; c < n; ++c) q[c] = static_cast<int8_t>(std::lrintf(row[c] * inverse[c]));
  }
  return out;
}

}  // namespace embedforge
