// AMX tiles (Intel SDM volume 1, chapter 18): eight registers of 16 rows of 64 bytes, and the
// bfloat16 splits that feed them.
//
// A float is kept as kPlanes bfloat16 values: hi = bf16(x), lo = bf16(x - hi). One plane gives
// products to 2^-9; two planes, with all four products of theirs, give them to about 2^-17,
// which is what the float32 tier uses.
#pragma once

#include <cstring>

#include "kernels/avx512/simd.h"
#include "kernels/table.h"

namespace embedforge::kernels {
namespace {

constexpr int kTileRows = 16;
constexpr int kTileBytes = 1024;
constexpr int kDepth = 32;  // bfloat16 values of a tile row: the k that one tdpbf16ps covers

struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

/// Converts 32 floats to the planes of one tile row; plane p goes to out + p * plane_bytes.
template <int kPlanes>
inline void split_row(__m512 low, __m512 high, std::byte* out, size_t plane_bytes) {
  const auto top = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
  _mm512_storeu_si512(out, top);
  if constexpr (kPlanes == 2) {
    const __m512 back_low = _mm512_castsi512_ps(
        _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(top)), 16));
    const __m512 back_high = _mm512_castsi512_ps(
        _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(top, 1)), 16));
    _mm512_storeu_si512(out + plane_bytes,
                        reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(
                            _mm512_sub_ps(high, back_high), _mm512_sub_ps(low, back_low))));
  }
}

/// The first n of 32 floats at p, zeros after them.
inline void load_32(const float* p, int n, __m512& low, __m512& high) {
  if (n >= 32) {
    low = _mm512_loadu_ps(p);
    high = _mm512_loadu_ps(p + 16);
  } else {
    low = _mm512_maskz_loadu_ps(Simd::first(n), p);
    high = n > 16 ? _mm512_maskz_loadu_ps(Simd::first(n - 16), p + 16) : _mm512_setzero_ps();
  }
}

}  // namespace
}  // namespace embedforge::kernels
