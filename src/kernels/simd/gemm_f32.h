// C = A B in floats: panels of B (kPanel columns, row after row) against rows of A, one fused
// multiply-add chain per element. Every element is summed in the order of k, whatever block it
// falls in, so that a row's result doesn't depend on its neighbours. Cost: kGemmRows * kGemmVectors
// FMAs for kGemmVectors loads and kGemmRows broadcasts.
#pragma once

#include "kernels/simd/with_count.h"
#include "kernels/table.h"

namespace embedforge::kernels {
namespace {

constexpr int kPanel = Simd::kGemmVectors * Simd::kWidth;

/// out [kRows, kPanel] = a [kRows, k] * panel [k][kPanel]
template <int kRows>
inline void gemm_block(const float* a, size_t a_stride, const float* panel, int k, float* out,
                       size_t out_stride) {
  Simd::F sum[kRows][Simd::kGemmVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < Simd::kGemmVectors; ++v) sum[r][v] = Simd::zero();
  }
  for (int i = 0; i < k; ++i) {
    Simd::F b[Simd::kGemmVectors];
#pragma GCC unroll 4
    for (int v = 0; v < Simd::kGemmVectors; ++v) b[v] = Simd::load(panel + v * Simd::kWidth);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const Simd::F x = Simd::set1(a[static_cast<size_t>(r) * a_stride + i]);
#pragma GCC unroll 4
      for (int v = 0; v < Simd::kGemmVectors; ++v) sum[r][v] = Simd::fma(x, b[v], sum[r][v]);
    }
    panel += kPanel;
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < Simd::kGemmVectors; ++v) {
      Simd::store(out + static_cast<size_t>(r) * out_stride + v * Simd::kWidth, sum[r][v]);
    }
  }
}

/// gemm_block for 1..kGemmRows rows.
inline void gemm_rows(int rows, const float* a, size_t a_stride, const float* panel, int k,
                      float* out, size_t out_stride) {
  with_count<Simd::kGemmRows>(rows, [&](auto count) {
    gemm_block<decltype(count)::value>(a, a_stride, panel, k, out, out_stride);
  });
}

}  // namespace
}  // namespace embedforge::kernels
