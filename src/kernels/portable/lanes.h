// The vector type that the bodies in kernels/simd/ are instantiated with (simd/concept.h): 4 floats
// by the compiler's vector extensions, on what every processor of the architecture has.
#pragma once

#include <cstddef>
#include <cstdint>

namespace embedforge::kernels {
namespace {

/// kFused: fma rounds once, as the concept says, at 50 instructions where the processor has none
/// for it; else as is fast.
template <bool kFused>
struct Lanes {
  using F = float __attribute__((vector_size(16)));
  using I = int32_t __attribute__((vector_size(16)));
  static constexpr int kWidth = 4;
  static constexpr int kGemmRows = 4;  // 4 x 2 accumulators of 16 registers
  static constexpr int kGemmVectors = 2;

  static F load(const float* p) { return load_first(p, kWidth); }
  static F load_first(const float* p, int n) {
    F v = {};
    copy(&v, p, n);
    return v;
  }
  static void store(float* p, F v) { copy(p, &v, kWidth); }
  static void store_first(float* p, F v, int n) { copy(p, &v, n); }
  static F keep_first(F v, int n, F other) { return I{0, 1, 2, 3} < n ? v : other; }
  static F set1(float v) { return F{v, v, v, v}; }
  static F zero() { return F{}; }
  static F add(F a, F b) { return a + b; }
  static F sub(F a, F b) { return a - b; }
  static F mul(F a, F b) { return a * b; }
  static F div(F a, F b) { return a / b; }
  static F fma(F a, F b, F c) {
#if defined(__FP_FAST_FMAF) || defined(__ARM_FEATURE_FMA)
    return F{__builtin_fmaf(a[0], b[0], c[0]), __builtin_fmaf(a[1], b[1], c[1]),
             __builtin_fmaf(a[2], b[2], c[2]), __builtin_fmaf(a[3], b[3], c[3])};
#endif
    if constexpr (!kFused) return a * b + c;
    const D low = odd_fma(D{a[0], a[1]}, D{b[0], b[1]}, D{c[0], c[1]});
    const D high = odd_fma(D{a[2], a[3]}, D{b[2], b[3]}, D{c[2], c[3]});
    F v = {static_cast<float>(low[0]), static_cast<float>(low[1]), static_cast<float>(high[0]),
           static_cast<float>(high[1])};
    asm("" : "+m"(v));  // g++ 12 would leave out rounding to float before the next fma
    return v;
  }
  static F min(F a, F b) { return a < b ? a : b; }
  static F max(F a, F b) { return a > b ? a : b; }
  static F round(F a) { return (a + kWhole) - kWhole; }
  static F scale_by_power(F p, F n) { return p * reinterpret_cast<F>((to_int(n) + 127) << 23); }
  static float sum(F a) { return (a[0] + a[2]) + (a[1] + a[3]); }
  static float largest(F a) {
    const F pairs = max(a, F{a[2], a[3], a[0], a[1]});
    return pairs[0] > pairs[1] ? pairs[0] : pairs[1];
  }
  static float smallest(F a) {
    const F pairs = min(a, F{a[2], a[3], a[0], a[1]});
    return pairs[0] < pairs[1] ? pairs[0] : pairs[1];
  }
  static I load_int(const int32_t* p) {
    I v;
    copy(&v, p, kWidth);
    return v;
  }
  static void store_ints(int32_t* p, I v) { copy(p, &v, kWidth); }
  static I set1_int(int32_t v) { return I{v, v, v, v}; }
  static I to_int(F v) {
    return reinterpret_cast<I>(v + kWhole) - reinterpret_cast<I>(set1(kWhole));
  }
  static F to_float(I v) { return __builtin_convertvector(v, F); }
  static I add_pairs(I sum, I a, I b) {
    int16_t x[2 * kWidth];
    int16_t y[2 * kWidth];
    int32_t p[2 * kWidth];
    copy(x, &a, kWidth);
    copy(y, &b, kWidth);
#pragma GCC unroll 1  // keeps it a loop, which g++ then compiles to vectors
    for (int i = 0; i < 2 * kWidth; ++i) p[i] = x[i] * y[i];
    return sum + I{p[0], p[2], p[4], p[6]} + I{p[1], p[3], p[5], p[7]};
  }
  static I join_shorts(F low, F high) { return (to_int(low) & 0xFFFF) | (to_int(high) << 16); }
  static void store_shorts(int16_t* p, F v) {
    const I i = to_int(v);
    for (int l = 0; l < kWidth; ++l) p[l] = static_cast<int16_t>(i[l]);
  }
  static void store_bytes(uint8_t* p, F v) {
    const I i = to_int(v);
    for (int l = 0; l < kWidth; ++l) p[l] = static_cast<uint8_t>(i[l]);
  }

 private:
  using D = double __attribute__((vector_size(16)));
  using L = int64_t __attribute__((vector_size(16)));
  static constexpr float kWhole = 12582912.0F;  // 1.5 * 2^23: floats around it are whole numbers

  static void copy(void* to, const void* from, int lanes) {
    __builtin_memcpy(to, from, static_cast<size_t>(lanes) * sizeof(float));
  }
  /// a * b + c of floats, rounded to odd (cut off, and the last bit set if that changed anything),
  /// so that rounding it to float gives what rounding once would have given: 53 bits are more than
  /// 24 + 2. The product of two floats is exact; the sum's error is Knuth's.
  static D odd_fma(D a, D b, D c) {
    const D p = a * b;
    const D s = p + c;
    const D back = s - p;
    const D error = (p - (s - back)) + (c - back);
    const L under = error > D{};
    const L over = error < D{};
    const L away = s < D{} ? under : over;  // the sum was rounded away from zero
    return reinterpret_cast<D>((reinterpret_cast<L>(s) + away) | ((under | over) & 1));
  }
};

}  // namespace
}  // namespace embedforge::kernels
