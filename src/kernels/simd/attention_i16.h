// Attention of one head of one sequence in 16-bit integers (steps_i16.h): twice the products of
// floats an instruction. Workspace: linear in the length.
#pragma once

#include "kernels/simd/attention_f32.h"
#include "kernels/simd/gemm_i16.h"
#include "kernels/simd/steps_i16.h"

namespace embedforge::kernels {
namespace {

/// Rows of 16-bit values are read in pairs and written in whole vectors.
inline int padded_pairs(int width) { return round_up(width, Simd::kWidth) / 2; }

struct Workspace16 {
  int columns, value_columns, q_pairs, p_pairs;
  size_t keys, values, scores, p;  // bytes of each part; q is the last

  Workspace16(int length, int head_size)
      : columns(round_up(length, kPanel)),
        value_columns(round_up(head_size, kPanel)),
        q_pairs(padded_pairs(head_size)),
        p_pairs(columns / 2),
        keys(bytes(columns, q_pairs)),
        values(bytes((length + 1) / 2, value_columns)),
        scores(bytes(Simd::kGemmRows, columns)),
        p(bytes(Simd::kGemmRows, p_pairs)) {}

  static size_t bytes(int a, int b) { return static_cast<size_t>(a) * static_cast<size_t>(b) * 4; }
  size_t total() const { return keys + values + scores + p + bytes(Simd::kGemmRows, q_pairs); }
};

inline size_t attention_i16_workspace(int length, int head_size) noexcept {
  const size_t floats = attention_f32_workspace(length, head_size);
  const size_t integers = Workspace16(length, head_size).total();
  return floats > integers ? floats : integers;
}

/// Panels [columns / kPanel][q_pairs][kPanel] of pairs of channels; no keys past the length.
inline void pack_keys(const AttentionArgs& a, const Workspace16& w, float factor, int32_t* keys) {
  alignas(64) int32_t pairs[kMostHead / 2];
  for (int j = 0; j < w.columns; ++j) {
    int32_t* panel = keys + j / kPanel * kPanel * w.q_pairs + j % kPanel;
    if (j < a.length) {
      round_row(a.k + static_cast<size_t>(j) * a.kv_stride, a.head_size, factor,
                reinterpret_cast<int16_t*>(pairs));
    }
    for (int p = 0; p < w.q_pairs; ++p) panel[p * kPanel] = j < a.length ? pairs[p] : 0;
  }
}

/// Panels [value_columns / kPanel][(length + 1) / 2][kPanel] of pairs of tokens.
inline void pack_values(const AttentionArgs& a, const Workspace16& w, float factor,
                        int32_t* values) {
  const F by = Simd::set1(factor);
  for (int d0 = 0; d0 < w.value_columns; d0 += kPanel) {
    for (int j = 0; j < a.length; j += 2, values += kPanel) {
      const float* low = a.v + static_cast<size_t>(j) * a.kv_stride + d0;
      const float* high = j + 1 < a.length ? low + a.kv_stride : nullptr;
      for (int d = 0; d < kPanel; d += Simd::kWidth) {
        const int left = a.head_size - d0 - d;
        const int n = left < 0 ? 0 : left < Simd::kWidth ? left : Simd::kWidth;
        const F first = Simd::mul(load_some(low + d, n), by);
        const F second = high == nullptr ? Simd::zero() : Simd::mul(load_some(high + d, n), by);
        Simd::store_ints(values + d, Simd::join_shorts(first, second));
      }
    }
  }
}

inline void attention_i16(const AttentionArgs& a) noexcept {
  if (!fits_i16(a)) return attention_f32(a);
  const Workspace16 w(a.length, a.head_size);
  std::byte* at = a.workspace;
  auto* keys = reinterpret_cast<int32_t*>(at);
  auto* values = reinterpret_cast<int32_t*>(at += w.keys);
  auto* scores = reinterpret_cast<float*>(at += w.values);
  auto* p = reinterpret_cast<int32_t*>(at += w.scores);
  auto* q = reinterpret_cast<int32_t*>(at + w.p);
  const HeadSteps steps(a);
  pack_keys(a, w, steps.k, keys);
  pack_values(a, w, steps.v, values);
  alignas(64) float block[Simd::kGemmRows * kPanel];
  float factor[Simd::kGemmRows];  // of a row's sums of values
  for (int row = a.begin; row < a.end; row += Simd::kGemmRows) {
    const int rows = a.end - row < Simd::kGemmRows ? a.end - row : Simd::kGemmRows;
    for (int r = 0; r < rows; ++r) {
      round_row(a.q + static_cast<size_t>(row + r) * a.q_stride, a.head_size, steps.q,
                reinterpret_cast<int16_t*>(q + r * w.q_pairs));
    }
    // Keys outside of [first, last) are for none of these rows.
    const int first = key_range(a, row).first / kPanel * kPanel;
    const int last = key_range(a, row + rows - 1).last;
    for (int c = first; c < last; c += kPanel) {
      multiply16_rows(rows, q, w.q_pairs, keys + c * w.q_pairs, w.q_pairs, scores + c, w.columns);
    }
    for (int r = 0; r < rows; ++r) {
      float* s = scores + r * w.columns;
      const RowWeights weights = softmax_i16(a, row + r, first, last, steps, s);
      round_row(s + first, last - first, weights.steps,
                reinterpret_cast<int16_t*>(p + r * w.p_pairs) + first);
      factor[r] = weights.value;
    }
    for (int d0 = 0; d0 < a.head_size; d0 += kPanel) {
      multiply16_rows(rows, p + first / 2, w.p_pairs,
                      values + d0 * ((a.length + 1) / 2) + first / 2 * kPanel,
                      (last - first + 1) / 2, block, kPanel);
      store_scaled(a, row, rows, d0, block, factor);
    }
  }
}

}  // namespace
}  // namespace embedforge::kernels
