// The numbers of attention in 16-bit integers, for models whose layers are rounded to 8 bits or
// bfloat16 anyway: q, k and v have a scale for the head, the weights p one for each row. The sums
// are exact, so that every instruction set gives the same bits, whatever it multiplies with. Error
// of a product: 2^-13 of the largest values.
//
// Scores: |q|, |k| <= sqrt(2^31 / head_size). Weights p (the softmax in steps): p <= 2^15 - 1 and
// their sum <= 2^16 - 1, so that with |v| <= 2^15 - 1 no sum passes 2^31.
#pragma once

#include "kernels/simd/softmax.h"

namespace embedforge::kernels {
namespace {

constexpr int kMost16 = 32767;
constexpr int kMostHead = 256;
constexpr int kLongest16 = 1024;  // tokens; beyond, a step of p is too large a part of a small one

/// Whether attention of 16-bit integers is exact enough; else it is computed in floats.
inline bool fits_i16(const AttentionArgs& a) {
  return a.length <= kLongest16 && a.head_size <= kMostHead;
}

/// The largest |x|.
inline float largest_magnitude(const float* x, size_t stride, int rows, int width) {
  F high = Simd::zero();
  for (int r = 0; r < rows; ++r, x += stride) {
    each_vector(width, [&](int i, int n) {
      const F v = load_some(x + i, n);
      high = Simd::max(high, Simd::max(v, Simd::sub(Simd::zero(), v)));
    });
  }
  return Simd::largest(high);
}

/// The most steps of q and k.
inline float most_steps(int head_size) {
  const float most = __builtin_sqrtf(2147483648.0F / static_cast<float>(head_size)) - 1;
  return most < kMost16 ? __builtin_floorf(most) : kMost16;
}

/// Steps a unit of q, k and v, so that the largest magnitude of each becomes the most that is let.
struct HeadSteps {
  float q, k, v;
  float score = 0;  // what a product of steps of q and k is multiplied by
  float value = 0;  // a step of v

  explicit HeadSteps(const AttentionArgs& a)
      : q(steps(most_steps(a.head_size), a.q, a.q_stride, a)),
        k(steps(most_steps(a.head_size), a.k, a.kv_stride, a)),
        v(steps(kMost16, a.v, a.kv_stride, a)) {
    if (q > 0 && k > 0) score = a.scale / q / k;
    if (v > 0) value = 1 / v;
  }

 private:
  static float steps(float most, const float* x, size_t stride, const AttentionArgs& a) {
    const float largest = largest_magnitude(x, stride, a.length, a.head_size);
    return largest > 0 ? most / largest : 0;
  }
};

/// out[0, width) = round(x * factor); zeros up to the next whole vector.
inline void round_row(const float* x, int width, float factor, int16_t* out) {
  const F by = Simd::set1(factor);
  each_vector(width, [&](int i, int n) {
    Simd::store_shorts(out + i, Simd::mul(load_some(x + i, n), by));
  });
}

/// How a row's exponentials become integers p, and their sums with v become values.
struct RowWeights {
  float steps;  // of p, a unit of an exponential
  float value;  // what a sum of steps of p and v is multiplied by
};

/// Products of row i become exponentials in place, as softmax_row() makes them.
inline RowWeights softmax_i16(const AttentionArgs& a, int i, int begin, int end,
                              const HeadSteps& head, float* s) {
  const KeyRange keys = key_range(a, i);
  const float sum = softmax_row<true>(a, i, begin, end, head.score, s);
  const int count = keys.last - keys.first;
  const float most = static_cast<float>(2 * kMost16 - count) / sum;  // each may be rounded up
  const float steps = most < kMost16 ? most : kMost16;               // the largest is 1
  return {steps, head.value / (steps * sum)};
}

}  // namespace
}  // namespace embedforge::kernels
