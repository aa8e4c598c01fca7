// The 8-bit linear layer of processors that have no products of bytes: rows and weights in 16 bits
// (gemm_i16.h). A prepared row: its RowScale, then its steps 0..255. Include after a simd.h.
#pragma once

#include "kernels/simd/finish_i8.h"
#include "kernels/simd/gemm_i16.h"
#include "kernels/simd/pack_i8.h"

namespace embedforge::kernels {
namespace {

inline size_t i8_block_bytes(int k) noexcept {
  const int steps = (k + Simd::kWidth - 1) / Simd::kWidth * Simd::kWidth;
  return sizeof(RowScale) + static_cast<size_t>(steps) * sizeof(int16_t);
}

inline size_t i8_weight_bytes(int k, int n) noexcept {
  return static_cast<size_t>((n + kPanel - 1) / kPanel) * i8_panel_bytes<int16_t>(k, kPanel, 1);
}

inline void i8_pack(const WeightView& w, std::byte* out) noexcept {
  for (int n0 = 0; n0 < w.n; n0 += kPanel, out += i8_panel_bytes<int16_t>(w.k, kPanel, 1)) {
    i8_pack_panel<int16_t>(w, n0, kPanel, 1, out, [](int group, int c) {
      return (static_cast<size_t>(group) * kPanel + static_cast<size_t>(c)) * 2;
    });
  }
}

inline void i8_prepare(const InputRows& in, std::byte* out) noexcept {
  each_input_row(in, [&](int /*r*/, const auto& x) {
    const RowScale s = row_scale(x, in.k);
    std::memcpy(out, &s, sizeof s);
    quantize_row(x, in.k, s, reinterpret_cast<int16_t*>(out + sizeof s));
    out += i8_block_bytes(in.k);
  });
}

inline void i8_run(const LinearArgs& args) noexcept {
  alignas(64) int32_t sums[Simd::kGemmRows * kPanel];
  const auto pairs = static_cast<int>(k_groups<int16_t>(args.k, 1));
  const auto stride = static_cast<int>(args.a_stride / sizeof(int32_t));
  for (int column = args.column_begin; column < args.column_end; column += kPanel) {
    const auto* scales =
        reinterpret_cast<const float*>(args.weight + i8_weight_bytes(args.k, column));
    const auto* q = reinterpret_cast<const int32_t*>(scales + 2 * kPanel);
    const int columns = args.column_end - column < kPanel ? args.column_end - column : kPanel;
    for (int row = 0; row < args.rows; row += Simd::kGemmRows) {
      const int rows = args.rows - row < Simd::kGemmRows ? args.rows - row : Simd::kGemmRows;
      const std::byte* a = args.a + static_cast<size_t>(row) * args.a_stride;
      multiply16_rows(rows, reinterpret_cast<const int32_t*>(a + sizeof(RowScale)), stride, q,
                      pairs, sums, kPanel);
      finish_i8<kPanel>(args, {row, rows, column, columns}, a, args.a_stride, sums, scales);
    }
  }
}

constexpr LinearKernel kLinearI8 = {.row_block = 1,
                                    .column_block = kPanel,
                                    .block_bytes = i8_block_bytes,
                                    .weight_bytes = i8_weight_bytes,
                                    .pack = i8_pack,
                                    .prepare = i8_prepare,
                                    .run = i8_run};

}  // namespace
}  // namespace embedforge::kernels
