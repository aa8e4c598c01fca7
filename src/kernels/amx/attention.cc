// Attention of one head of one sequence with tdpbf16ps, in one bfloat16 plane or two (tiles.h), softmax in floats.
//
// For 16 query rows: scores = Q K^T in tiles of 16 keys, exponentials split back to planes as the left operand of P V.
// K is packed transposed, [16 keys][pairs of channels] as [16 pairs][16 keys][2]; V as [16 pairs of keys][16 channels][2].
// Cost for 16 rows and 32 keys at head size 32: 2 + 2 tdpbf16ps and 32 vectors of exponentials.
#include "kernels/amx/tiles.h"
#include "kernels/amx/units.h"
#include "kernels/simd/attention_f32.h"

namespace embedforge::kernels {
namespace {

constexpr size_t steps_of(int n, int step) { return (static_cast<size_t>(n) + static_cast<size_t>(step) - 1) / static_cast<size_t>(step); }

/// Regions of the workspace; keys come in pairs of 16, so that P V can take 32 at a time.
template <int kPlanes>
struct Layout {
  size_t depth, keys32, channels16;
  size_t q, k, v, p, scores, total;  // byte offsets

  Layout(int length, int head_size)
      : depth(steps_of(head_size, kDepth)), keys32(steps_of(length, 32)), channels16(steps_of(head_size, 16)) {
    q = 0;
    k = q + kPlanes * depth * kTileBytes;
    v = k + kPlanes * depth * 2 * keys32 * kTileBytes;
    p = v + kPlanes * channels16 * keys32 * kTileBytes;
    scores = p + kPlanes * keys32 * kTileBytes;
    total = scores + kTileRows * keys32 * 32 * sizeof(float);
  }
};

/// Transposes 16 rows of 16 dwords; row i of the result is column i.
inline void transpose_dwords(__m512i r[16]) {
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xDD);
    t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xDD);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xDD);
    r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
    r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xDD);
  }
}

/// K tiles: [16 keys][depth][plane].
template <int kPlanes>
void pack_keys(const AttentionArgs& a, const Layout<kPlanes>& layout, std::byte* out) {
  for (int j0 = 0; j0 < static_cast<int>(layout.keys32) * 32; j0 += 16) {
    for (int d = 0; d < a.head_size; d += kDepth, out += kPlanes * kTileBytes) {
      alignas(64) std::byte rows[kPlanes * kTileBytes];
      for (int j = 0; j < 16; ++j) {
        __m512 low;
        __m512 high;
        const int n = j0 + j < a.length ? a.head_size - d : 0;
        load_32(a.k + static_cast<size_t>(j0 + j) * a.kv_stride + d, n, low, high);
        split_row<kPlanes>(low, high, rows + j * 64, kTileBytes);
      }
      for (int p = 0; p < kPlanes; ++p) {
        __m512i r[16];
#pragma GCC unroll 16
        for (int j = 0; j < 16; ++j) r[j] = _mm512_load_si512(rows + p * kTileBytes + j * 64);
        transpose_dwords(r);
#pragma GCC unroll 16
        for (int j = 0; j < 16; ++j) _mm512_store_si512(out + p * kTileBytes + j * 64, r[j]);
      }
    }
  }
}

/// V tiles: [32 keys][16 channels][plane].
template <int kPlanes>
void pack_values(const AttentionArgs& a, const Layout<kPlanes>& layout, std::byte* out) {
  alignas(64) static constexpr uint16_t kInterleave[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                           8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i interleave = _mm512_load_si512(kInterleave);
  for (int j0 = 0; j0 < static_cast<int>(layout.keys32) * 32; j0 += 32) {
    for (int d = 0; d < a.head_size; d += 16, out += kPlanes * kTileBytes) {
      for (int pair = 0; pair < 16; ++pair) {
        const int j = j0 + 2 * pair;
        const float* even = a.v + static_cast<size_t>(j) * a.kv_stride + d;
        const int n = a.head_size - d;
        const __m512 first = j < a.length ? Simd::load_first(even, n) : _mm512_setzero_ps();
        const __m512 second = j + 1 < a.length ? Simd::load_first(even + a.kv_stride, n) : _mm512_setzero_ps();
        std::byte* row = out + pair * 64;
        split_row<kPlanes>(first, second, row, kTileBytes);
        for (int p = 0; p < kPlanes; ++p) {
          std::byte* at = row + p * kTileBytes;
          _mm512_storeu_si512(at, _mm512_permutexvar_epi16(interleave, _mm512_loadu_si512(at)));
        }
      }
    }
  }
}

/// scores [16][keys32 * 32] of the query rows in `q`; accumulators are tiles 0 and 1.
template <int kPlanes>
void multiply_scores(const Layout<kPlanes>& layout, const std::byte* q, const std::byte* k, float* scores) {
  const size_t columns = layout.keys32 * 32;
  for (size_t block = 0; block < layout.keys32; ++block) {
    _tile_zero(0);
    _tile_zero(1);
    const std::byte* k1 = k + layout.depth * kPlanes * kTileBytes;
    for (size_t d = 0; d < layout.depth; ++d) {
      const std::byte* left = q + d * kPlanes * kTileBytes;
      const std::byte* right0 = k + d * kPlanes * kTileBytes;
      const std::byte* right1 = k1 + d * kPlanes * kTileBytes;
      _tile_loadd(4, left, 64);
      _tile_loadd(6, right0, 64);
      _tile_loadd(7, right1, 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      if constexpr (kPlanes == 2) {
        _tile_loadd(5, left + kTileBytes, 64);
        _tile_dpbf16ps(0, 5, 6);
        _tile_dpbf16ps(1, 5, 7);
        _tile_loadd(6, right0 + kTileBytes, 64);
        _tile_loadd(7, right1 + kTileBytes, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
      }
    }
    _tile_stored(0, scores + block * 32, columns * sizeof(float));
    _tile_stored(1, scores + block * 32 + 16, columns * sizeof(float));
    k += 2 * layout.depth * kPlanes * kTileBytes;
  }
}

/// out [16][16] for one group of 16 channels: P V over all keys, in tile 0.
template <int kPlanes>
void multiply_values(const Layout<kPlanes>& layout, const std::byte* p, const std::byte* v, float* out) {
  _tile_zero(0);
  for (size_t block = 0; block < layout.keys32; ++block) {
    _tile_loadd(4, p, 64);
    _tile_loadd(6, v, 64);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kPlanes == 2) {
      _tile_loadd(5, p + kTileBytes, 64);
      _tile_loadd(7, v + kTileBytes, 64);
      _tile_dpbf16ps(0, 5, 6);
      _tile_dpbf16ps(0, 4, 7);
    }
    p += kPlanes * kTileBytes;
    v += layout.channels16 * kPlanes * kTileBytes;
  }
  _tile_stored(0, out, 64);
}

/// 2^x for x <= 0 with |error| <= 5e-5 of the result: Taylor to the fourth power on |r| <= 1/2.
inline F power_of_two_short(F x) {
  x = Simd::max(x, Simd::set1(-126.0F));
  const F n = Simd::round(x);
  const F r = Simd::sub(x, n);
  F p = Simd::set1(9.618129e-3F);
  p = Simd::fma(p, r, Simd::set1(5.550411e-2F));
  p = Simd::fma(p, r, Simd::set1(2.402265e-1F));
  p = Simd::fma(p, r, Simd::set1(6.931472e-1F));
  p = Simd::fma(p, r, Simd::set1(1.0F));
  return Simd::scale_by_power(p, n);
}

/// The plain case (every key, no bias) of a bfloat16 row: exponentials in place, their sum returned.
inline float softmax_row_short(float scale, int length, float* s) {
  const F factor = Simd::set1(scale * 1.44269504F);
  F high = Simd::set1(-3.0e38F);
  each_vector(length, [&](int j, int n) { high = Simd::max(high, Simd::keep_first(Simd::load(s + j), n, high)); });
  const F top = Simd::mul(Simd::set1(scale > 0 ? Simd::largest(high) : 0.0F), factor);
  F total = Simd::zero();
  each_vector(length, [&](int j, int n) {
    const F shifted = Simd::sub(Simd::mul(Simd::load(s + j), factor), top);
    const F e = Simd::keep_first(power_of_two_short(shifted), n, Simd::zero());
    total = Simd::add(total, e);
    Simd::store(s + j, e);
  });
  return Simd::sum(total);
}

template <int kPlanes>
void attention(const AttentionArgs& a) noexcept {
  const Layout<kPlanes> layout(a.length, a.head_size);
  std::byte* base = a.workspace;
  const auto columns = static_cast<int>(layout.keys32 * 32);
  auto* scores = reinterpret_cast<float*>(base + layout.scores);
  const bool plain = kPlanes == 1 && a.relative_bias == nullptr && !a.causal && a.window < 0 && a.scale > 0;
  pack_keys<kPlanes>(a, layout, base + layout.k);
  pack_values<kPlanes>(a, layout, base + layout.v);
  for (int row = a.begin; row < a.end; row += kTileRows) {
    const int rows = a.end - row < kTileRows ? a.end - row : kTileRows;
    for (int r = 0; r < kTileRows; ++r) {
      std::byte* to = base + layout.q + r * 64;
      for (int d = 0; d < a.head_size; d += kDepth, to += kPlanes * kTileBytes) {
        __m512 low;
        __m512 high;
        load_32(a.q + static_cast<size_t>(row + r) * a.q_stride + d, r < rows ? a.head_size - d : 0, low, high);
        split_row<kPlanes>(low, high, to, kTileBytes);
      }
    }
    multiply_scores<kPlanes>(layout, base + layout.q, base + layout.k, scores);
    float inverse[kTileRows] = {};
    for (int r = 0; r < rows; ++r) {
      float* s = scores + static_cast<size_t>(r) * static_cast<size_t>(columns);
      inverse[r] = 1.0F / (plain ? softmax_row_short(a.scale, a.length, s) : softmax_row(a, row + r, s));
      std::byte* to = base + layout.p + r * 64;
      for (int j = 0; j < columns; j += 32, to += kPlanes * kTileBytes) {
        __m512 low;
        __m512 high;
        load_32(s + j, a.length - j, low, high);
        split_row<kPlanes>(low, high, to, kTileBytes);
      }
    }
    for (size_t c = 0; c < layout.channels16; ++c) {
      alignas(64) float block[kTileRows * 16];
      multiply_values<kPlanes>(layout, base + layout.p, base + layout.v + c * kPlanes * kTileBytes, block);
      const int n = a.head_size - static_cast<int>(c) * 16;
      for (int r = 0; r < rows; ++r) {
        float* out = a.out + static_cast<size_t>(row + r) * a.out_stride + c * 16;
        Simd::store_first(out, Simd::mul(Simd::load(block + r * 16), Simd::set1(inverse[r])), n);
      }
    }
  }
}

}  // namespace

size_t amx_attention_workspace(int length, int head_size) noexcept { return Layout<2>(length, head_size).total; }

void amx_attention_f32(const AttentionArgs& args) noexcept { attention<2>(args); }

void amx_attention_bf16(const AttentionArgs& args) noexcept { attention<1>(args); }

}  // namespace embedforge::kernels
