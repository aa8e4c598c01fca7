// Attention of one head of one sequence with tdpbf16ps, in one bfloat16 plane or two (tiles.h), softmax in floats.
//
// Everything is transposed: for 16 queries, scores^T [keys][16] = K Q^T has one vector a key, so that maxima, sums and masks are plain
// vertical operations; then out^T [channels][16] = V^T P^T. K rows are left operands as they are; Q and P are right operands
// ([16 pairs][16 queries][2]); V is packed transposed once a head.
// Cost for 16 queries and 32 keys at head size 32: 2 + 2 tdpbf16ps and 32 vectors of exponentials.
#include "kernels/amx/tiles.h"
#include "kernels/amx/transpose.h"
#include "kernels/amx/units.h"
#include "kernels/simd/math.h"

namespace embedforge::kernels {
namespace {

constexpr int kQueries = 16;

constexpr size_t steps_of(int n, int step) { return (static_cast<size_t>(n) + static_cast<size_t>(step) - 1) / static_cast<size_t>(step); }

/// Regions of the workspace.
template <int kPlanes>
struct Layout {
  size_t depth, keys32, channels16;
  size_t k, v, q, p, scores, total;  // byte offsets

  Layout(int length, int head_size)
      : depth(steps_of(head_size, kDepth)), keys32(steps_of(length, 32)), channels16(steps_of(head_size, 16)) {
    constexpr size_t kTiles = kPlanes * kTileBytes;
    k = 0;
    v = k + kTiles * depth * 2 * keys32;
    q = v + kTiles * channels16 * keys32;
    p = q + kTiles * depth;
    scores = p + kTiles * keys32;
    total = scores + keys32 * 32 * kQueries * sizeof(float);
  }
};

/// K tiles [16 keys][depth][plane]: rows of 32 channels.
template <int kPlanes>
void pack_keys(const AttentionArgs& a, size_t keys, std::byte* out) {
  const size_t block = steps_of(a.head_size, kDepth) * kPlanes * kTileBytes;
  for (int j = 0; j < static_cast<int>(keys); ++j) {
    std::byte* to = out + static_cast<size_t>(j / kTileRows) * block + static_cast<size_t>(j % kTileRows) * 64;
    const float* from = a.k + static_cast<size_t>(j) * a.kv_stride;
    for (int d = 0; d < a.head_size; d += kDepth, to += kPlanes * kTileBytes) {
      __m512 low;
      __m512 high;
      load_32(from + d, j < a.length ? a.head_size - d : 0, low, high);
      split_row<kPlanes>(low, high, to, kTileBytes);
    }
  }
}

/// V tiles [16 channels][32 keys][plane]: a row is a channel, its columns the keys.
template <int kPlanes>
void pack_values(const AttentionArgs& a, const Layout<kPlanes>& layout, std::byte* out) {
  for (int d = 0; d < a.head_size; d += 16) {
    for (int j0 = 0; j0 < static_cast<int>(layout.keys32) * 32; j0 += 32, out += kPlanes * kTileBytes) {
      alignas(64) std::byte pairs[kPlanes * kTileBytes];
      for (int pair = 0; pair < 16; ++pair) {
        const int j = j0 + 2 * pair;
        const float* even = a.v + static_cast<size_t>(j) * a.kv_stride + d;
        const int n = a.head_size - d;
        const __m512 first = j < a.length ? Simd::load_first(even, n) : _mm512_setzero_ps();
        const __m512 second = j + 1 < a.length ? Simd::load_first(even + a.kv_stride, n) : _mm512_setzero_ps();
        split_pairs<kPlanes>(first, second, pairs + pair * 64, kTileBytes);
      }
      for (int p = 0; p < kPlanes; ++p) transpose_tile(pairs + p * kTileBytes, out + p * kTileBytes);
    }
  }
}

/// Q tiles [depth][plane]: [16 pairs of channels][16 queries][2], for queries [row, row + rows).
template <int kPlanes>
void pack_queries(const AttentionArgs& a, int row, int rows, std::byte* out) {
  for (int d = 0; d < a.head_size; d += kDepth, out += kPlanes * kTileBytes) {
    alignas(64) std::byte straight[kPlanes * kTileBytes];
    for (int r = 0; r < kQueries; ++r) {
      __m512 low;
      __m512 high;
      load_32(a.q + static_cast<size_t>(row + r) * a.q_stride + d, r < rows ? a.head_size - d : 0, low, high);
      split_row<kPlanes>(low, high, straight + r * 64, kTileBytes);
    }
    for (int p = 0; p < kPlanes; ++p) transpose_tile(straight + p * kTileBytes, out + p * kTileBytes);
  }
}

/// Tile kSum += tile kLeft * tile kRight. The intrinsic wants literal numbers.
template <int kSum, int kLeft, int kRight>
inline void multiply_add() {
  static_assert(kSum < 4 && (kLeft == 4 || kLeft == 5) && (kRight == 6 || kRight == 7));
  if constexpr (kLeft == 4 && kRight == 6) {
    if constexpr (kSum == 0) _tile_dpbf16ps(0, 4, 6);
    if constexpr (kSum == 1) _tile_dpbf16ps(1, 4, 6);
    if constexpr (kSum == 2) _tile_dpbf16ps(2, 4, 6);
    if constexpr (kSum == 3) _tile_dpbf16ps(3, 4, 6);
  } else if constexpr (kLeft == 5) {
    if constexpr (kSum == 0) _tile_dpbf16ps(0, 5, 6);
    if constexpr (kSum == 1) _tile_dpbf16ps(1, 5, 6);
    if constexpr (kSum == 2) _tile_dpbf16ps(2, 5, 6);
    if constexpr (kSum == 3) _tile_dpbf16ps(3, 5, 6);
  } else {
    if constexpr (kSum == 0) _tile_dpbf16ps(0, 4, 7);
    if constexpr (kSum == 1) _tile_dpbf16ps(1, 4, 7);
    if constexpr (kSum == 2) _tile_dpbf16ps(2, 4, 7);
    if constexpr (kSum == 3) _tile_dpbf16ps(3, 4, 7);
  }
}

/// Adds the product of a left and a right operand (one tile a plane) to accumulator tile kSum.
template <int kPlanes, int kSum>
inline void multiply_tiles(const std::byte* left, const std::byte* right) {
  _tile_loadd(4, left, 64);
  _tile_loadd(6, right, 64);
  multiply_add<kSum, 4, 6>();
  if constexpr (kPlanes == 2) {
    _tile_loadd(5, left + kTileBytes, 64);
    _tile_loadd(7, right + kTileBytes, 64);
    multiply_add<kSum, 5, 6>();
    multiply_add<kSum, 4, 7>();
  }
}

/// scores [keys32 * 32][16 queries]. Tiles 0 and 1 take turns with 2 and 3, so that a product needn't wait for a store.
template <int kPlanes>
void multiply_scores(const Layout<kPlanes>& layout, const std::byte* k, const std::byte* q, float* scores) {
  constexpr size_t kTiles = kPlanes * kTileBytes;
  const size_t block = layout.depth * kTiles;
  for (size_t b = 0; b < layout.keys32; ++b, k += 2 * block, scores += 32 * kQueries) {
    if (b % 2 == 0) {
      _tile_zero(0);
      _tile_zero(1);
      for (size_t d = 0; d < layout.depth; ++d) {
        multiply_tiles<kPlanes, 0>(k + d * kTiles, q + d * kTiles);
        multiply_tiles<kPlanes, 1>(k + block + d * kTiles, q + d * kTiles);
      }
      _tile_stored(0, scores, 64);
      _tile_stored(1, scores + 16 * kQueries, 64);
    } else {
      _tile_zero(2);
      _tile_zero(3);
      for (size_t d = 0; d < layout.depth; ++d) {
        multiply_tiles<kPlanes, 2>(k + d * kTiles, q + d * kTiles);
        multiply_tiles<kPlanes, 3>(k + block + d * kTiles, q + d * kTiles);
      }
      _tile_stored(2, scores, 64);
      _tile_stored(3, scores + 16 * kQueries, 64);
    }
  }
}

/// out [2][16 channels][16 queries] = V^T P^T over all keys for two groups of channels (the second may be the first again). Even and
/// odd blocks of keys have sums of their own, since a chain of products on one tile would wait for each.
template <int kPlanes>
void multiply_values(const Layout<kPlanes>& layout, const std::byte* v0, const std::byte* v1, const std::byte* p, float* out) {
  constexpr size_t kTiles = kPlanes * kTileBytes;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  size_t b = 0;
  for (; b + 2 <= layout.keys32; b += 2) {
    multiply_tiles<kPlanes, 0>(v0 + b * kTiles, p + b * kTiles);
    multiply_tiles<kPlanes, 1>(v1 + b * kTiles, p + b * kTiles);
    multiply_tiles<kPlanes, 2>(v0 + (b + 1) * kTiles, p + (b + 1) * kTiles);
    multiply_tiles<kPlanes, 3>(v1 + (b + 1) * kTiles, p + (b + 1) * kTiles);
  }
  if (b < layout.keys32) {
    multiply_tiles<kPlanes, 0>(v0 + b * kTiles, p + b * kTiles);
    multiply_tiles<kPlanes, 1>(v1 + b * kTiles, p + b * kTiles);
  }
  constexpr int kTileFloats = 16 * kQueries;
  _tile_stored(0, out, 64);
  _tile_stored(1, out + kTileFloats, 64);
  _tile_stored(2, out + 2 * kTileFloats, 64);
  _tile_stored(3, out + 3 * kTileFloats, 64);
}

/// 2^x for x <= 0, relative error 5e-5: Taylor to the fourth power on |r| <= 1/2.
inline F power_of_two_short(F x) {
  const F n = Simd::round(x);
  const F r = Simd::sub(x, n);
  F p = Simd::set1(9.618129e-3F);
  p = Simd::fma(p, r, Simd::set1(5.550411e-2F));
  p = Simd::fma(p, r, Simd::set1(2.402265e-1F));
  p = Simd::fma(p, r, Simd::set1(6.931472e-1F));
  p = Simd::fma(p, r, Simd::set1(1.0F));
  return Simd::scale_by_power(p, n);
}

/// The queries of the block that attend to key j.
inline __mmask16 allowed(const AttentionArgs& a, __m512i queries, int j) {
  __mmask16 mask = 0xFFFF;
  const __m512i key = _mm512_set1_epi32(j);
  if (a.causal) mask &= _mm512_cmple_epi32_mask(key, queries);
  if (a.window >= 0) {
    mask &= _mm512_cmple_epi32_mask(_mm512_abs_epi32(_mm512_sub_epi32(key, queries)), _mm512_set1_epi32(a.window));
  }
  return mask;
}

/// Scores become what softmax is taken of, in units of log 2: masked ones far below zero, biases added.
void mask_scores(const AttentionArgs& a, int row, float* scores) {
  const __m512i queries = _mm512_add_epi32(_mm512_set1_epi32(row), _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  for (int j = 0; j < a.length; ++j) {
    F s = Simd::mul(Simd::load(scores + j * kQueries), Simd::set1(a.scale));
    if (a.relative_bias != nullptr) {
      __m512i distance = _mm512_sub_epi32(_mm512_set1_epi32(j), queries);
      distance = _mm512_min_epi32(distance, _mm512_set1_epi32(a.bias_span - 1));
      distance = _mm512_max_epi32(distance, _mm512_set1_epi32(1 - a.bias_span));
      s = Simd::add(s, _mm512_i32gather_ps(distance, a.relative_bias, 4));
    }
    Simd::store(scores + j * kQueries, _mm512_mask_blend_ps(allowed(a, queries, j), Simd::set1(-1.0e30F), s));
  }
}

/// P tiles [32 keys][plane] from the scores: exponentials relative to each query's largest. Gives their sums. `factor`: what the
/// scores are multiplied by to be in units of log 2.
template <int kPlanes>
F exponentials(const Layout<kPlanes>& layout, int length, const float* scores, float factor, std::byte* p) {
  F high[4] = {Simd::load(scores), Simd::load(scores), Simd::load(scores), Simd::load(scores)};
  int j = 0;
  for (; j + 4 <= length; j += 4) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) high[i] = Simd::max(high[i], Simd::load(scores + (j + i) * kQueries));
  }
  for (; j < length; ++j) high[0] = Simd::max(high[0], Simd::load(scores + j * kQueries));
  const F scale = Simd::set1(factor);
  const F top = Simd::mul(Simd::max(Simd::max(high[0], high[1]), Simd::max(high[2], high[3])), scale);
  F total[2] = {Simd::zero(), Simd::zero()};
  const auto exponential = [&](int key) {
    const F s = _mm512_fmsub_ps(Simd::load(scores + key * kQueries), scale, top);
    return kPlanes == 1 ? power_of_two_short(s) : exp(Simd::mul(s, Simd::set1(0.693147181F)));
  };
  const auto put = [&](int key, F first, F second) {
    total[0] = Simd::add(total[0], first);
    total[1] = Simd::add(total[1], second);
    const auto at = static_cast<size_t>(key);
    split_pairs<kPlanes>(first, second, p + at / 32 * kPlanes * kTileBytes + at % 32 * 32, kTileBytes);
  };
  for (j = 0; j + 2 <= length; j += 2) put(j, exponential(j), exponential(j + 1));
  if (j < length) {
    put(j, exponential(j), Simd::zero());
    j += 2;
  }
  for (; j < static_cast<int>(layout.keys32) * 32; j += 2) put(j, Simd::zero(), Simd::zero());
  return Simd::add(total[0], total[1]);
}

/// The two halves of out^T [16 channels][16 queries] added, times `inverse`, turned round and written to the queries' rows.
void write_channels(const AttentionArgs& a, int row, int rows, int channel, const float* even, const float* odd, F inverse) {
  alignas(64) float values[16 * kQueries];
#pragma GCC unroll 4
  for (int c = 0; c < 16; ++c) {
    const F sum = Simd::add(Simd::load(even + c * kQueries), Simd::load(odd + c * kQueries));
    Simd::store(values + c * kQueries, Simd::mul(sum, inverse));
  }
  auto* tile = reinterpret_cast<std::byte*>(values);
  transpose_tile(tile, tile);
  const int n = a.head_size - channel;
  for (int r = 0; r < rows; ++r) {
    Simd::store_first(a.out + static_cast<size_t>(row + r) * a.out_stride + channel, Simd::load(values + r * 16), n);
  }
}

template <int kPlanes>
void attention(const AttentionArgs& a) noexcept {
  const Layout<kPlanes> layout(a.length, a.head_size);
  std::byte* base = a.workspace;
  auto* scores = reinterpret_cast<float*>(base + layout.scores);
  const bool masked = a.relative_bias != nullptr || a.causal || a.window >= 0 || a.scale <= 0;
  const float factor = (masked ? 1.0F : a.scale) * 1.44269504F;
  pack_keys<kPlanes>(a, layout.keys32 * 32, base + layout.k);
  pack_values<kPlanes>(a, layout, base + layout.v);
  for (int row = a.begin; row < a.end; row += kQueries) {
    const int rows = a.end - row < kQueries ? a.end - row : kQueries;
    pack_queries<kPlanes>(a, row, rows, base + layout.q);
    multiply_scores<kPlanes>(layout, base + layout.k, base + layout.q, scores);
    if (masked) mask_scores(a, row, scores);
    const F sums = exponentials<kPlanes>(layout, a.length, scores, factor, base + layout.p);
    const F inverse = Simd::div(Simd::set1(1.0F), sums);
    for (size_t c = 0; c < layout.channels16; c += 2) {
      alignas(64) float block[4 * 16 * kQueries];
      const bool pair = c + 1 < layout.channels16;
      const std::byte* v = base + layout.v + c * layout.keys32 * kPlanes * kTileBytes;
      multiply_values<kPlanes>(layout, v, pair ? v + layout.keys32 * kPlanes * kTileBytes : v, base + layout.p, block);
      const auto channel = static_cast<int>(c) * 16;
      write_channels(a, row, rows, channel, block, block + 2 * 16 * kQueries, inverse);
      if (pair) write_channels(a, row, rows, channel + 16, block + 16 * kQueries, block + 3 * 16 * kQueries, inverse);
    }
  }
}

}  // namespace

size_t amx_attention_workspace(int length, int head_size) noexcept { return Layout<2>(length, head_size).total; }

void amx_attention_f32(const AttentionArgs& args) noexcept { attention<2>(args); }

void amx_attention_bf16(const AttentionArgs& args) noexcept { attention<1>(args); }

}  // namespace embedforge::kernels
