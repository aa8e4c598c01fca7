// Attention of one head of one sequence in floats: scores, softmax and weighted sum for a few query
// rows at a time. Workspace: K transposed and V in gemm panels, and kGemmRows rows of scores;
// linear in the length.
#pragma once

#include "kernels/simd/gemm_f32.h"
#include "kernels/simd/softmax.h"

namespace embedforge::kernels {
namespace {

inline size_t attention_f32_workspace(int length, int head_size) noexcept {
  const auto columns = static_cast<size_t>(round_up(length, kPanel));
  const auto keys = columns * static_cast<size_t>(head_size);
  const auto values =
      static_cast<size_t>(length) * static_cast<size_t>(round_up(head_size, kPanel));
  const size_t scores = Simd::kGemmRows * columns;
  return (keys + values + scores) * sizeof(float) + 256;
}

/// Writes channels [d0, d0 + kPanel) of rows [row, row + rows): block [rows][kPanel], each row
/// times its factor.
inline void store_scaled(const AttentionArgs& a, int row, int rows, int d0, const float* block,
                         const float* factors) {
  const int n = a.head_size - d0 < kPanel ? a.head_size - d0 : kPanel;
  for (int r = 0; r < rows; ++r) {
    float* out = a.out + static_cast<size_t>(row + r) * a.out_stride + d0;
    const F factor = Simd::set1(factors[r]);
    each_vector(n, [&](int d, int m) {
      store_some(out + d, Simd::mul(Simd::load(block + r * kPanel + d), factor), m);
    });
  }
}

inline void attention_f32(const AttentionArgs& a) noexcept {
  const int columns = round_up(a.length, kPanel);
  auto* keys = reinterpret_cast<float*>(a.workspace);
  float* values = keys + static_cast<size_t>(columns) * static_cast<size_t>(a.head_size);
  const int value_columns = round_up(a.head_size, kPanel);
  float* scores = values + static_cast<size_t>(a.length) * static_cast<size_t>(value_columns);
  for (int j = 0; j < columns; ++j) {  // panels [columns / kPanel][head_size][kPanel]
    float* panel = keys +
                   static_cast<size_t>(j / kPanel) * kPanel * static_cast<size_t>(a.head_size) +
                   j % kPanel;
    const float* k = a.k + static_cast<size_t>(j) * a.kv_stride;
    for (int d = 0; d < a.head_size; ++d) panel[d * kPanel] = j < a.length ? k[d] : 0.0F;
  }
  for (int d0 = 0; d0 < value_columns;
       d0 += kPanel) {  // panels [value_columns / kPanel][length][kPanel]
    float* panel = values + static_cast<size_t>(d0) * static_cast<size_t>(a.length);
    for (int j = 0; j < a.length; ++j) {
      const float* v = a.v + static_cast<size_t>(j) * a.kv_stride;
      for (int d = 0; d < kPanel; ++d)
        panel[j * kPanel + d] = d0 + d < a.head_size ? v[d0 + d] : 0.0F;
    }
  }
  alignas(64) float block[Simd::kGemmRows * kPanel];
  float inverse[Simd::kGemmRows];
  for (int row = a.begin; row < a.end; row += Simd::kGemmRows) {
    const int rows = a.end - row < Simd::kGemmRows ? a.end - row : Simd::kGemmRows;
    const float* q = a.q + static_cast<size_t>(row) * a.q_stride;
    // Keys outside of [first, last) are for none of these rows.
    const int first = key_range(a, row).first / kPanel * kPanel;
    const int last = key_range(a, row + rows - 1).last;
    for (int c = first; c < last; c += kPanel) {
      gemm_rows(rows, q, a.q_stride,
                keys + static_cast<size_t>(c) * static_cast<size_t>(a.head_size), a.head_size,
                scores + c, static_cast<size_t>(columns));
    }
    for (int r = 0; r < rows; ++r) {
      inverse[r] =
          1.0F / softmax_row<false>(a, row + r, first, last, a.scale,
                                    scores + static_cast<size_t>(r) * static_cast<size_t>(columns));
    }
    for (int d0 = 0; d0 < a.head_size; d0 += kPanel) {
      gemm_rows(rows, scores + first, static_cast<size_t>(columns),
                values + static_cast<size_t>(d0) * static_cast<size_t>(a.length) +
                    static_cast<size_t>(first) * kPanel,
                last - first, block, kPanel);
      store_scaled(a, row, rows, d0, block, inverse);
    }
  }
}

}  // namespace
}  // namespace embedforge::kernels
