// Row by row operations: normalization, sums, gates, and the rounding of a row to 8 bits.
#pragma once

#include <cmath>

#include "kernels/simd/math.h"

namespace embedforge::kernels {
namespace {

/// Calls f(i, n) for the vectors of a row: n lanes at i, the last one short when the width asks for it.
template <typename Function>
inline void each_vector(int width, Function f) {
  int i = 0;
  for (; i + Simd::kWidth <= width; i += Simd::kWidth) f(i, Simd::kWidth);
  if (i < width) f(i, width - i);
}

inline F load_some(const float* p, int n) {
  return n == Simd::kWidth ? Simd::load(p) : Simd::load_first(p, n);
}

inline void store_some(float* p, F v, int n) {
  if (n == Simd::kWidth) {
    Simd::store(p, v);
  } else {
    Simd::store_first(p, v, n);
  }
}

inline void norm_rows(const NormArgs& a) noexcept {
  const float inverse = 1.0F / static_cast<float>(a.width);
  for (int r = 0; r < a.rows; ++r) {
    const float* x = a.x + static_cast<size_t>(r) * a.x_stride;
    const float* add = a.add == nullptr ? nullptr : a.add + static_cast<size_t>(r) * a.add_stride;
    float* out = a.out + static_cast<size_t>(r) * a.out_stride;
    F total = Simd::zero();
    each_vector(a.width, [&](int i, int n) {
      F v = load_some(x + i, n);
      if (add != nullptr) v = Simd::add(v, load_some(add + i, n));
      total = Simd::add(total, v);
      store_some(out + i, v, n);
    });
    const float mean = a.rms ? 0.0F : Simd::sum(total) * inverse;
    const F m = Simd::set1(mean);
    F squares = Simd::zero();
    each_vector(a.width, [&](int i, int n) {
      const F d = Simd::keep_first(Simd::sub(load_some(out + i, n), m), n, Simd::zero());
      squares = Simd::fma(d, d, squares);
    });
    const float variance = Simd::sum(squares) * inverse;
    const F scale = Simd::set1(1.0F / std::sqrt(variance + a.epsilon));
    each_vector(a.width, [&](int i, int n) {
      const F d = Simd::mul(Simd::sub(load_some(out + i, n), m), scale);
      const F beta = a.beta == nullptr ? Simd::zero() : load_some(a.beta + i, n);
      store_some(out + i, Simd::fma(d, load_some(a.gamma + i, n), beta), n);
    });
  }
}

inline void add_values(const float* a, const float* b, float* out, size_t count) noexcept {
  size_t i = 0;
  for (; i + Simd::kWidth <= count; i += Simd::kWidth) {
    Simd::store(out + i, Simd::add(Simd::load(a + i), Simd::load(b + i)));
  }
  for (; i < count; ++i) out[i] = a[i] + b[i];
}

inline void gate_values(const float* gate, const float* up, Act act, float* out, size_t count) noexcept {
  size_t i = 0;
  for (; i + Simd::kWidth <= count; i += Simd::kWidth) {
    Simd::store(out + i, Simd::mul(activate<false>(act, Simd::load(gate + i)), Simd::load(up + i)));
  }
  if (i < count) {
    const int n = static_cast<int>(count - i);
    const F g = activate<false>(act, Simd::load_first(gate + i, n));
    Simd::store_first(out + i, Simd::mul(g, Simd::load_first(up + i, n)), n);
  }
}

/// A row as 8-bit steps: x = scale * q + offset with q in 0..255.
struct RowScale {
  float scale = 0, offset = 0;
};

/// The range of a row in 255 steps; a constant row has scale 0.
inline RowScale row_scale(const float* x, int k) {
  F low = Simd::set1(x[0]);
  F high = low;
  each_vector(k, [&](int i, int n) {
    const F v = Simd::keep_first(load_some(x + i, n), n, low);
    low = Simd::min(low, v);
    high = Simd::max(high, Simd::keep_first(v, n, high));
  });
  const float smallest = Simd::smallest(low);
  return {(Simd::largest(high) - smallest) / 255.0F, smallest};
}

/// q = round((x - offset) / scale), written to q[0, k). Writes whole vectors: q has room up to a multiple of the width.
inline void quantize_row(const float* x, int k, RowScale s, uint8_t* q) {
  const F inverse = Simd::set1(s.scale > 0 ? 1.0F / s.scale : 0.0F);
  const F offset = Simd::set1(s.offset);
  each_vector(k, [&](int i, int n) {
    const F v = Simd::mul(Simd::sub(load_some(x + i, n), offset), inverse);
    Simd::store_bytes(q + i, Simd::keep_first(Simd::min(v, Simd::set1(255.0F)), n, Simd::zero()));
  });
}

}  // namespace
}  // namespace embedforge::kernels
