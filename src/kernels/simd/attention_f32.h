// Attention of one head of one sequence in floats: scores, softmax and weighted sum for a few query
// rows at a time. Workspace: K transposed and V in gemm panels, and kGemmRows rows of scores;
// linear in the length.
#pragma once

#include "kernels/simd/gemm_f32.h"
#include "kernels/simd/rows.h"

namespace embedforge::kernels {
namespace {

inline int round_up(int value, int step) { return (value + step - 1) / step * step; }

inline size_t attention_f32_workspace(int length, int head_size) noexcept {
  const auto columns = static_cast<size_t>(round_up(length, kPanel));
  const auto keys = columns * static_cast<size_t>(head_size);
  const auto values =
      static_cast<size_t>(length) * static_cast<size_t>(round_up(head_size, kPanel));
  const size_t scores = Simd::kGemmRows * columns;
  return (keys + values + scores) * sizeof(float) + 256;
}

/// The keys that row i attends to: [first, last).
struct KeyRange {
  int first, last;
};

inline KeyRange key_range(const AttentionArgs& a, int i) {
  KeyRange range{0, a.length};
  if (a.causal) range.last = i + 1;
  if (a.window >= 0) {
    if (i - a.window > range.first) range.first = i - a.window;
    if (i + a.window + 1 < range.last) range.last = i + a.window + 1;
  }
  return range;
}

/// s[j] = s[j] * scale + the bias of the distance from i to j, for the keys of row i.
inline void add_relative_bias(const AttentionArgs& a, int i, KeyRange keys, float* s) {
  for (int j = keys.first; j < keys.last; ++j) {
    int distance = j - i;
    if (distance > a.bias_span - 1) distance = a.bias_span - 1;
    if (distance < 1 - a.bias_span) distance = 1 - a.bias_span;
    s[j] = s[j] * a.scale + a.relative_bias[distance];
  }
}

/// s[j] = e^(scale s[j] - the largest) for j in [0, count); gives their sum.
inline float exponentials(float* s, int count, float scale) {
  const F factor = Simd::set1(scale);
  Partial high(Simd::set1(-3.0e38F));
  each_vector_in_parts(count, [&](int j, int n, int part) {
    const F v = Simd::keep_first(Simd::mul(load_some(s + j, n), factor), n, high.part[part]);
    high.part[part] = Simd::max(high.part[part], v);
  });
  const F top = Simd::set1(-high.largest());
  Partial total(Simd::zero());
  each_vector_in_parts(count, [&](int j, int n, int part) {
    const F e = exp(Simd::fma(load_some(s + j, n), factor, top));
    total.part[part] = Simd::add(total.part[part], Simd::keep_first(e, n, Simd::zero()));
    store_some(s + j, e, n);
  });
  return total.sum();
}

/// Scores of row i become exponentials in place (0 in the rest of [begin, end)); gives their sum.
inline float softmax_row(const AttentionArgs& a, int i, int begin, int end, float* s) {
  const KeyRange keys = key_range(a, i);
  if (a.relative_bias != nullptr) add_relative_bias(a, i, keys, s);
  const float scale = a.relative_bias == nullptr ? a.scale : 1.0F;
  const float sum = exponentials(s + keys.first, keys.last - keys.first, scale);
  for (int j = begin; j < keys.first; ++j) s[j] = 0;
  for (int j = keys.last; j < end; ++j) s[j] = 0;
  return sum;
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
      gemm_rows<>(rows, q, a.q_stride,
                  keys + static_cast<size_t>(c) * static_cast<size_t>(a.head_size), a.head_size,
                  scores + c, static_cast<size_t>(columns));
    }
    for (int r = 0; r < rows; ++r) {
      inverse[r] =
          1.0F / softmax_row(a, row + r, first, last,
                             scores + static_cast<size_t>(r) * static_cast<size_t>(columns));
    }
    for (int d0 = 0; d0 < a.head_size; d0 += kPanel) {
      gemm_rows<>(rows, scores + first, static_cast<size_t>(columns),
                  values + static_cast<size_t>(d0) * static_cast<size_t>(a.length) +
                      static_cast<size_t>(first) * kPanel,
                  last - first, block, kPanel);
      const int n = a.head_size - d0 < kPanel ? a.head_size - d0 : kPanel;
      for (int r = 0; r < rows; ++r) {
        float* out = a.out + static_cast<size_t>(row + r) * a.out_stride + d0;
        const F factor = Simd::set1(inverse[r]);
        each_vector(n, [&](int d, int m) {
          store_some(out + d, Simd::mul(Simd::load(block + r * kPanel + d), factor), m);
        });
      }
    }
  }
}

}  // namespace
}  // namespace embedforge::kernels
