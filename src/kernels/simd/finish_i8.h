// The end of an 8-bit linear layer on a block of integer sums. One body for every vector table, so
// that they give the same bits.
#pragma once

#include <cstring>

#include "kernels/simd/finish.h"
#include "kernels/simd/float_channels.h"
#include "kernels/simd/rows.h"

namespace embedforge::kernels {
namespace {

/// row scale * (column scale * sum) + row offset * scaled column sum, for the vector at column c.
/// `sums`: of the row; `scales`: a packed panel's head: column scales, then scaled column sums.
template <int kColumns>
inline F i8_value(RowScale row, const int32_t* sums, const float* scales, int c) {
  const F scaled = Simd::mul(Simd::to_float(Simd::load_int(sums + c)), Simd::load(scales + c));
  return Simd::fma(Simd::load(scales + kColumns + c), Simd::set1(row.offset),
                   Simd::mul(scaled, Simd::set1(row.scale)));
}

/// `row_scales`: the RowScale of each row, `stride` bytes apart; `sums` is [rows][kColumns].
template <int kColumns>
inline void finish_i8(const LinearArgs& args, const Block& b, const std::byte* row_scales,
                      size_t stride, const int32_t* sums, const float* scales) {
  const auto value = [&](int r, int c) {
    RowScale s;
    std::memcpy(&s, row_scales + static_cast<size_t>(r) * stride, sizeof s);
    return i8_value<kColumns>(s, sums + r * kColumns, scales, c);
  };
  if (args.floats == nullptr) {
    finish<true>(args, b, value);
  } else {
    finish<true>(args, b, [&](int r, int c) {
      F v[1][1] = {{value(r, c)}};
      add_float_channels(args, b.row + r, b.column + c, v);
      return v[0][0];
    });
  }
}

}  // namespace
}  // namespace embedforge::kernels
