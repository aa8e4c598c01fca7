// What the forms of attention share: which keys a row sees, relative position bias, exponentials.
#pragma once

#include "kernels/simd/rows.h"

namespace embedforge::kernels {
namespace {

inline int round_up(int value, int step) { return (value + step - 1) / step * step; }

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
inline void add_relative_bias(const AttentionArgs& a, int i, KeyRange keys, float scale, float* s) {
  for (int j = keys.first; j < keys.last; ++j) {
    int distance = j - i;
    if (distance > a.bias_span - 1) distance = a.bias_span - 1;
    if (distance < 1 - a.bias_span) distance = 1 - a.bias_span;
    s[j] = s[j] * scale + a.relative_bias[distance];
  }
}

constexpr float kLog2E = 1.44269504F;

/// s[j] = e^(scale s[j] - the largest) for j in [0, count); gives their sum. kShort: see
/// exp2_short().
template <bool kShort>
inline float exponentials(float* s, int count, float scale) {
  const F factor = Simd::set1(kShort ? scale * kLog2E : scale);
  Partial high(Simd::set1(-3.0e38F));
  each_vector_in_parts(count, [&](int j, int n, int part) {
    const F v = Simd::keep_first(Simd::mul(load_some(s + j, n), factor), n, high.part[part]);
    high.part[part] = Simd::max(high.part[part], v);
  });
  const F top = Simd::set1(-high.largest());
  Partial total(Simd::zero());
  each_vector_in_parts(count, [&](int j, int n, int part) {
    const F x = Simd::fma(load_some(s + j, n), factor, top);
    const F e = kShort ? exp2_short(x) : exp(x);
    total.part[part] = Simd::add(total.part[part], Simd::keep_first(e, n, Simd::zero()));
    store_some(s + j, e, n);
  });
  return total.sum();
}

/// Products of row i, times `scale`, become exponentials in place (0 in the rest of [begin, end));
/// gives their sum.
template <bool kShort>
inline float softmax_row(const AttentionArgs& a, int i, int begin, int end, float scale, float* s) {
  const KeyRange keys = key_range(a, i);
  if (a.relative_bias != nullptr) {
    add_relative_bias(a, i, keys, scale, s);
    scale = 1;
  }
  const float sum = exponentials<kShort>(s + keys.first, keys.last - keys.first, scale);
  for (int j = begin; j < keys.first; ++j) s[j] = 0;
  for (int j = keys.last; j < end; ++j) s[j] = 0;
  return sum;
}

}  // namespace
}  // namespace embedforge::kernels
