// The part of an 8-bit layer whose channels stay float. Cost: an FMA for each channel and vector.
#pragma once

#include "kernels/table.h"

namespace embedforge::kernels {
namespace {

/// sums[r][v] += the float channels of row `row` + r times the columns of vector v, which begin at
/// `column`. Several rows at once, so that a vector of weights is read once for all of them.
template <int kRows, int kVectors>
[[gnu::always_inline]] inline void add_float_channels(const LinearArgs& args, int row, int column,
                                                      F (&sums)[kRows][kVectors]) {
  const auto stride = static_cast<size_t>(args.float_channels);
  const float* x = args.floats + static_cast<size_t>(row) * stride;
  const float* w = args.float_weight + column;
  for (size_t group = 0; group < stride; group += kFloatGroup, x += kFloatGroup) {
#pragma GCC unroll 2
    for (int j = 0; j < kFloatGroup; ++j, w += args.float_stride) {
      F weights[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) weights[v] = Simd::load(w + v * Simd::kWidth);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const F value = Simd::set1(x[static_cast<size_t>(r) * stride + static_cast<size_t>(j)]);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) sums[r][v] = Simd::fma(weights[v], value, sums[r][v]);
      }
    }
  }
}

}  // namespace
}  // namespace embedforge::kernels
