// Rotary embedding: for each pair of channels (a, b) of a head (a cos - b sin, b cos + a sin).
// Halves: two loads, two stores, two products and two multiply-adds a vector of pairs; neighbours:
// one by one.
#pragma once

#include "kernels/simd/rows.h"

namespace embedforge::kernels {
namespace {

inline void rotate_heads(const RotateArgs& a) noexcept {
  for (int h = 0; h < a.heads; ++h) {
    float* head = a.x + static_cast<size_t>(h) * a.stride;
    if (a.interleaved) {
      for (int i = 0; i < a.pairs; ++i) {
        const float first = head[2 * i];
        const float second = head[2 * i + 1];
        head[2 * i] = first * a.cos[i] - second * a.sin[i];
        head[2 * i + 1] = second * a.cos[i] + first * a.sin[i];
      }
      continue;
    }
    float* upper = head + a.pairs;
    each_vector(a.pairs, [&](int i, int n) {
      const F first = load_some(head + i, n);
      const F second = load_some(upper + i, n);
      const F cos = load_some(a.cos + i, n);
      const F sin = load_some(a.sin + i, n);
      store_some(head + i, Simd::sub(Simd::mul(first, cos), Simd::mul(second, sin)), n);
      store_some(upper + i, Simd::fma(first, sin, Simd::mul(second, cos)), n);
    });
  }
}

}  // namespace
}  // namespace embedforge::kernels
