// The vector type that the bodies in kernels/simd/ are instantiated with (simd/concept.h): 16
// floats.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace embedforge::kernels {
namespace {

struct Simd {
  using F = __m512;
  using I = __m512i;
  static constexpr int kWidth = 16;
  static constexpr int kGemmRows = 12;  // 12 x 2 accumulators of the 32 registers
  static constexpr int kGemmVectors = 2;

  static __mmask16 first(int n) {
    return static_cast<__mmask16>(n >= 16 ? 0xFFFF : (1U << n) - 1U);
  }
  static F load(const float* p) { return _mm512_loadu_ps(p); }
  static F load_first(const float* p, int n) { return _mm512_maskz_loadu_ps(first(n), p); }
  static void store(float* p, F v) { _mm512_storeu_ps(p, v); }
  static void store_first(float* p, F v, int n) { _mm512_mask_storeu_ps(p, first(n), v); }
  static F set1(float v) { return _mm512_set1_ps(v); }
  static F zero() { return _mm512_setzero_ps(); }
  static F add(F a, F b) { return _mm512_add_ps(a, b); }
  static F sub(F a, F b) { return _mm512_sub_ps(a, b); }
  static F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static F div(F a, F b) { return _mm512_div_ps(a, b); }
  static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static F min(F a, F b) { return _mm512_min_ps(a, b); }
  static F max(F a, F b) { return _mm512_max_ps(a, b); }
  static F round(F a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  static F scale_by_power(F p, F n) { return _mm512_scalef_ps(p, n); }
  static float sum(F a) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
  }
  static float largest(F a) { return _mm512_reduce_max_ps(a); }
  static float smallest(F a) { return _mm512_reduce_min_ps(a); }
  static F keep_first(F v, int n, F other) { return _mm512_mask_blend_ps(first(n), other, v); }
  static void store_bytes(uint8_t* p, F v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtusepi32_epi8(_mm512_cvtps_epi32(v)));
  }
  static I load_int(const int32_t* p) { return _mm512_loadu_si512(p); }
  static void store_ints(int32_t* p, I v) { _mm512_storeu_si512(p, v); }
  static I set1_int(int32_t v) { return _mm512_set1_epi32(v); }
  static I to_int(F v) { return _mm512_cvtps_epi32(v); }
  static F to_float(I v) { return _mm512_cvtepi32_ps(v); }
  static I add_pairs(I sum, I a, I b) {
    sum = _mm512_dpwssd_epi32(sum, a, b);
    asm("" : "+v"(sum));  // g++ 12 would copy every accumulator of a tile in each step
    return sum;
  }
  static void store_shorts(int16_t* p, F v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(to_int(v)));
  }
  static I join_shorts(F low, F high) {
    return _mm512_mask_blend_epi16(0xAAAAAAAA, to_int(low), _mm512_slli_epi32(to_int(high), 16));
  }
};

}  // namespace
}  // namespace embedforge::kernels
