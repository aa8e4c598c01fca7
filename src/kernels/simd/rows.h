// Row by row operations: normalization, sums, gates, and the rounding of a row to 8 bits.
#pragma once

#include "kernels/simd/math.h"

namespace embedforge::kernels {
namespace {

/// Calls f(i, n) for the vectors of a row: n lanes at i, the last one short when the width asks for
/// it.
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

/// Sums are kept in 4 x 16 lanes whatever the width of a vector, so that every instruction set adds
/// in the same order and gives the same bits; four, so that an addition needn't wait for the one
/// before.
constexpr int kLanes = 16;
constexpr int kHalves = kLanes / Simd::kWidth;
constexpr int kParts = 4 * kHalves;

struct Partial {
  F part[kParts] = {};

  explicit Partial(F start) {
    for (F& p : part) p = start;
  }
  template <typename Combine>
  F combined(Combine combine) const {
    F halves[kHalves];
    for (int h = 0; h < kHalves; ++h) {
      halves[h] = combine(combine(part[h], part[kHalves + h]),
                          combine(part[2 * kHalves + h], part[3 * kHalves + h]));
    }
    if constexpr (kHalves == 4) {  // vectors of 4, 8 or 16 lanes, as the concept says
      return combine(combine(halves[0], halves[2]), combine(halves[1], halves[3]));
    }
    return kHalves == 1 ? halves[0] : combine(halves[0], halves[kHalves - 1]);
  }
  float sum() const { return Simd::sum(combined(Simd::add)); }
  float smallest() const { return Simd::smallest(combined(Simd::min)); }
  float largest() const { return Simd::largest(combined(Simd::max)); }
};

/// Calls f(i, n, part) as each_vector does, with the part of a Partial that the vector belongs to:
/// lane j % 64 for value j.
template <typename Function>
inline void each_vector_in_parts(int width, Function f) {
  int i = 0;
  for (; i + 4 * kLanes <= width; i += 4 * kLanes) {
#pragma GCC unroll 16
    for (int p = 0; p < kParts; ++p) f(i + p * Simd::kWidth, Simd::kWidth, p);
  }
  int part = 0;
  each_vector(width - i, [&](int j, int n) { f(i + j, n, part++); });
}

inline void norm_rows(const NormArgs& a) noexcept {
  const float inverse = 1.0F / static_cast<float>(a.width);
  for (int r = 0; r < a.rows; ++r) {
    const float* x = a.x + static_cast<size_t>(r) * a.x_stride;
    const float* add = a.add == nullptr ? nullptr : a.add + static_cast<size_t>(r) * a.add_stride;
    float* out = a.out + static_cast<size_t>(r) * a.out_stride;
    Partial total(Simd::zero());
    if (add != nullptr) {
      each_vector_in_parts(a.width, [&](int i, int n, int part) {
        const F v = Simd::add(load_some(x + i, n), load_some(add + i, n));
        total.part[part] = Simd::add(total.part[part], v);
        store_some(out + i, v, n);
      });
      x = out;
    } else if (!a.rms) {
      each_vector_in_parts(a.width, [&](int i, int n, int part) {
        total.part[part] = Simd::add(total.part[part], load_some(x + i, n));
      });
    }
    const F mean = Simd::set1(a.rms ? 0.0F : total.sum() * inverse);
    Partial squares(Simd::zero());
    each_vector_in_parts(a.width, [&](int i, int n, int part) {
      const F d = Simd::keep_first(Simd::sub(load_some(x + i, n), mean), n, Simd::zero());
      squares.part[part] = Simd::fma(d, d, squares.part[part]);
    });
    const float variance = squares.sum() * inverse;
    const F scale = Simd::set1(1.0F / __builtin_sqrtf(variance + a.epsilon));
    each_vector(a.width, [&](int i, int n) {
      const F d = Simd::mul(Simd::sub(load_some(x + i, n), mean), scale);
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

inline void gate_values(const float* gate, const float* up, Act act, float* out,
                        size_t count) noexcept {
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

/// One of the InputRows, its channels scaled where kScaled says so.
template <bool kScaled>
struct InputRow {
  const float* x;
  const float* scale;

  InputRow from(int i) const { return {x + i, kScaled ? scale + i : nullptr}; }
  float first() const { return kScaled ? x[0] * scale[0] : x[0]; }
  /// n lanes at i, up to the width of a vector; zeros in the rest.
  F load(int i, int n) const {
    const F v = load_some(x + i, n);
    return kScaled ? Simd::mul(v, load_some(scale + i, n)) : v;
  }
};

/// Calls f(r, row) for each row.
template <bool kScaled, typename Function>
inline void each_row(const InputRows& in, Function f) {
  for (int r = 0; r < in.rows; ++r)
    f(r, InputRow<kScaled>{in.x + static_cast<size_t>(r) * in.stride, in.channel_scale});
}

template <typename Function>
inline void each_input_row(const InputRows& in, Function f) {
  in.channel_scale == nullptr ? each_row<false>(in, f) : each_row<true>(in, f);
}

/// The range of a row in 255 steps; a constant row has scale 0.
template <typename Row>
inline RowScale row_scale(const Row& x, int k) {
  Partial low(Simd::set1(x.first()));
  Partial high(Simd::set1(x.first()));
  each_vector_in_parts(k, [&](int i, int n, int part) {
    const F v = Simd::keep_first(x.load(i, n), n, low.part[0]);
    low.part[part] = Simd::min(low.part[part], v);
    high.part[part] = Simd::max(high.part[part], v);
  });
  const float smallest = low.smallest();
  return {(high.largest() - smallest) / 255.0F, smallest};
}

inline void store_steps(uint8_t* q, F v) { Simd::store_bytes(q, v); }
inline void store_steps(int16_t* q, F v) { Simd::store_shorts(q, v); }

/// q = round((x - offset) / scale), written to q[0, k). Writes whole vectors (zeros past k): q has
/// room up to a multiple of the width.
template <typename Row, typename Step>
inline void quantize_row(const Row& x, int k, RowScale s, Step* q) {
  const F inverse = Simd::set1(s.scale > 0 ? 1.0F / s.scale : 0.0F);
  const F offset = Simd::set1(s.offset);
  each_vector(k, [&](int i, int n) {
    const F v = Simd::mul(Simd::sub(x.load(i, n), offset), inverse);
    store_steps(q + i, Simd::keep_first(Simd::min(v, Simd::set1(255.0F)), n, Simd::zero()));
  });
}

}  // namespace
}  // namespace embedforge::kernels
