// The part of an 8-bit layer whose channels stay float. Cost: an FMA for each channel and vector.
#pragma once

#include "kernels/table.h"

namespace embedforge::kernels {
namespace {

/// sum + the float channels of row `row` times columns [column, column + width of a vector).
inline F add_float_channels(const LinearArgs& args, int row, int column, F sum) {
  const float* x =
      args.floats + static_cast<size_t>(row) * static_cast<size_t>(args.float_channels);
  const float* w = args.float_weight + column;
  for (int group = 0; group < args.float_channels; group += kFloatGroup) {
#pragma GCC unroll 8
    for (int j = 0; j < kFloatGroup; ++j, w += args.float_stride) {
      sum = Simd::fma(Simd::load(w), Simd::set1(x[group + j]), sum);
    }
  }
  return sum;
}

}  // namespace
}  // namespace embedforge::kernels
