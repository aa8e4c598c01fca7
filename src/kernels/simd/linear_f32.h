// The float linear layer: packed panels [n / kPanel][k][kPanel], zero-padded columns.
#pragma once

#include "kernels/simd/finish.h"
#include "kernels/simd/gemm_f32.h"

namespace embedforge::kernels {
namespace {

inline size_t f32_weight_bytes(int k, int n) noexcept {
  return static_cast<size_t>((n + kPanel - 1) / kPanel) * kPanel * static_cast<size_t>(k) *
         sizeof(float);
}

inline void f32_pack(const WeightView& w, std::byte* bytes) noexcept {
  float* out = reinterpret_cast<float*>(bytes);
  for (int n0 = 0; n0 < w.n; n0 += kPanel) {
    for (int k = 0; k < w.k; ++k) {
      for (int c = 0; c < kPanel; ++c) {
        const int n = n0 + c;
        const ptrdiff_t at = k * w.stride_k + n * w.stride_n;
        *out++ = n >= w.n ? 0.0F : w.values != nullptr ? w.values[at] : w.scales[n] * w.q[at];
      }
    }
  }
}

inline void f32_run(const LinearArgs& args) noexcept {
  alignas(64) float sums[Simd::kGemmRows * kPanel];
  const auto* a = reinterpret_cast<const float*>(args.a);
  const size_t stride = args.a_stride / sizeof(float);
  const auto* weight = reinterpret_cast<const float*>(args.weight);
  for (int column = args.column_begin; column < args.column_end; column += kPanel) {
    const float* panel = weight + static_cast<size_t>(column) * static_cast<size_t>(args.k);
    const int columns = args.column_end - column < kPanel ? args.column_end - column : kPanel;
    for (int row = 0; row < args.rows; row += Simd::kGemmRows) {
      const int rows = args.rows - row < Simd::kGemmRows ? args.rows - row : Simd::kGemmRows;
      gemm_rows(rows, a + static_cast<size_t>(row) * stride, stride, panel, args.k, sums, kPanel);
      finish<false>(args, {row, rows, column, columns},
                    [&](int r, int c) { return Simd::load(sums + r * kPanel + c); });
    }
  }
}

constexpr LinearKernel kLinearF32 = {.row_block = 1,
                                     .column_block = kPanel,
                                     .weight_bytes = f32_weight_bytes,
                                     .pack = f32_pack,
                                     .run = f32_run};

}  // namespace
}  // namespace embedforge::kernels
