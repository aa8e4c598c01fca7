#include "engine/round_weights.h"

#include <algorithm>
#include <cmath>

namespace embedforge {
namespace {

constexpr float kLargest = 127;
constexpr float kPairLimit =
    127;  // one below vpmaddubsw's 128: rounding may add a half to each of the two

}  // namespace

RoundedWeights round_weights(const float* w, int64_t k, int64_t n) {
  const auto columns = static_cast<size_t>(n);
  RoundedWeights out{std::vector<int8_t>(static_cast<size_t>(k) * columns),
                     std::vector<float>(columns, 0.0F)};
  for (int64_t i = 0; i < k;
       ++i) {  // the steps that each column's largest weight and largest pair need
    const float* row = w + i * n;
    const float* partner = i % 2 == 1 ? row - n : row;
    for (size_t c = 0; c < columns; ++c) {
      const float pair = i % 2 == 1 ? std::abs(row[c] + partner[c]) / kPairLimit : 0.0F;
      out.scales[c] = std::max({out.scales[c], std::abs(row[c]) / kLargest, pair});
    }
  }
  std::vector<float> inverse(columns);
  for (size_t c = 0; c < columns; ++c) {
    if (out.scales[c] == 0) out.scales[c] = 1;
    inverse[c] = 1 / out.scales[c];
  }
  for (int64_t i = 0; i < k; ++i) {
    const float* row = w + i * n;
    int8_t* q = out.q.data() + i * n;
    for (size_t c = 0; c < columns; ++c)
      q[c] = static_cast<int8_t>(std::lrintf(row[c] * inverse[c]));
  }
  return out;
}

}  // namespace embedforge
