// C = A B in 16-bit integers with exact 32-bit sums: panels of B against rows of A as in
// gemm_f32.h, two steps of k in each lane. Cost: kGemmRows * kGemmVectors add_pairs for
// kGemmVectors loads and kGemmRows broadcasts.
#pragma once

#include "kernels/simd/gemm_f32.h"

namespace embedforge::kernels {
namespace {

using I = Simd::I;

inline void store_sums(float* out, I sums) { Simd::store(out, Simd::to_float(sums)); }
inline void store_sums(int32_t* out, I sums) { Simd::store_ints(out, sums); }

/// out [kRows, kPanel] = a [kRows, pairs] * panel [pairs][kPanel].
template <int kRows, typename Sum>
[[gnu::noinline]] inline void multiply16(const int32_t* a, int a_stride, const int32_t* panel,
                                         int pairs, Sum* out, int out_stride) {
  I sum[kRows][Simd::kGemmVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < Simd::kGemmVectors; ++v) sum[r][v] = Simd::set1_int(0);
  }
  for (int i = 0; i < pairs; ++i, panel += kPanel) {
    I b[Simd::kGemmVectors];
#pragma GCC unroll 4
    for (int v = 0; v < Simd::kGemmVectors; ++v) b[v] = Simd::load_int(panel + v * Simd::kWidth);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const I x = Simd::set1_int(a[r * a_stride + i]);
#pragma GCC unroll 4
      for (int v = 0; v < Simd::kGemmVectors; ++v) {
        sum[r][v] = Simd::add_pairs(sum[r][v], x, b[v]);
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < Simd::kGemmVectors; ++v) {
      store_sums(out + r * out_stride + v * Simd::kWidth, sum[r][v]);
    }
  }
}

/// multiply16 for 1..kGemmRows rows.
template <typename Sum>
inline void multiply16_rows(int rows, const int32_t* a, int a_stride, const int32_t* panel,
                            int pairs, Sum* out, int out_stride) {
  with_count<Simd::kGemmRows>(rows, [&](auto count) {
    multiply16<decltype(count)::value>(a, a_stride, panel, pairs, out, out_stride);
  });
}

}  // namespace
}  // namespace embedforge::kernels
