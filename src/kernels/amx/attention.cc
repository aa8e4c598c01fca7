// Attention of one head of one sequence with tdpbf16ps: products of bfloat16 values, softmax in
// floats.
//
// Everything is transposed: for 16 queries, scores^T [keys][16] = K Q^T has one vector a key, so
// that maxima, sums and masks are plain vertical operations; then out^T [channels][16] = V^T P^T. K
// rows are left operands as they are; Q and P are right operands
// ([16 pairs][16 queries][2]); V is packed transposed once a head.
// Cost for 16 queries and 32 keys at head size 32: 2 + 2 tdpbf16ps and 32 vectors of exponentials.
#include "kernels/amx/tiles.h"
#include "kernels/amx/transpose.h"
#include "kernels/amx/units.h"
#include "kernels/simd/softmax.h"
#include "kernels/tables.h"

namespace embedforge::kernels {
namespace {

constexpr int kQueries = 16;

constexpr size_t steps_of(int n, int step) {
  return (static_cast<size_t>(n) + static_cast<size_t>(step) - 1) / static_cast<size_t>(step);
}

/// Regions of the workspace; queries and scores twice, for the block at hand and the next.
struct Layout {
  size_t depth, keys32, channels16;
  size_t k, v, q, p, scores, total;  // byte offsets

  Layout(int length, int head_size)
      : depth(steps_of(head_size, kDepth)),
        keys32(steps_of(length, 32)),
        channels16(steps_of(head_size, 16)) {
    k = 0;
    v = k + kTileBytes * depth * 2 * keys32;
    q = v + kTileBytes * channels16 * keys32;
    p = q + 2 * kTileBytes * depth;
    scores = p + kTileBytes * keys32;
    total = scores + 2 * keys32 * 32 * kQueries * sizeof(float);
  }
};

/// K tiles [16 keys][depth]: rows of 32 channels.
void pack_keys(const AttentionArgs& a, size_t keys, std::byte* out) {
  const size_t block = steps_of(a.head_size, kDepth) * kTileBytes;
  for (int j = 0; j < static_cast<int>(keys); ++j) {
    std::byte* to =
        out + static_cast<size_t>(j / kTileRows) * block + static_cast<size_t>(j % kTileRows) * 64;
    const float* from = a.k + static_cast<size_t>(j) * a.kv_stride;
    for (int d = 0; d < a.head_size; d += kDepth, to += kTileBytes) {
      __m512 low;
      __m512 high;
      load_32(from + d, j < a.length ? a.head_size - d : 0, low, high);
      split_row<1>(low, high, to, kTileBytes);
    }
  }
}

/// V tiles [16 channels][32 keys]: a row is a channel, its columns the keys.
void pack_values(const AttentionArgs& a, const Layout& layout, std::byte* out) {
  for (int d = 0; d < a.head_size; d += 16) {
    for (int j0 = 0; j0 < static_cast<int>(layout.keys32) * 32; j0 += 32, out += kTileBytes) {
      for (int pair = 0; pair < 16; ++pair) {
        const int j = j0 + 2 * pair;
        const float* even = a.v + static_cast<size_t>(j) * a.kv_stride + d;
        const int n = a.head_size - d;
        const __m512 first = j < a.length ? Simd::load_first(even, n) : _mm512_setzero_ps();
        const __m512 second =
            j + 1 < a.length ? Simd::load_first(even + a.kv_stride, n) : _mm512_setzero_ps();
        join_pairs(first, second, out + pair * 64);
      }
      transpose_tile(out, out);
    }
  }
}

/// Q tiles [depth]: [16 pairs of channels][16 queries][2], for queries [row, row + rows).
void pack_queries(const AttentionArgs& a, int row, int rows, std::byte* out) {
  for (int d = 0; d < a.head_size; d += kDepth, out += kTileBytes) {
    for (int r = 0; r < kQueries; ++r) {
      __m512 low;
      __m512 high;
      load_32(a.q + static_cast<size_t>(row + r) * a.q_stride + d, r < rows ? a.head_size - d : 0,
              low, high);
      split_row<1>(low, high, out + r * 64, kTileBytes);
    }
    transpose_tile(out, out);
  }
}

/// Tile kSum += the product of a left and a right operand. The intrinsic wants literal numbers.
template <int kSum>
inline void multiply_tiles(const std::byte* left, const std::byte* right) {
  static_assert(kSum < 4);
  _tile_loadd(4, left, 64);
  _tile_loadd(6, right, 64);
  if constexpr (kSum == 0) _tile_dpbf16ps(0, 4, 6);
  if constexpr (kSum == 1) _tile_dpbf16ps(1, 4, 6);
  if constexpr (kSum == 2) _tile_dpbf16ps(2, 4, 6);
  if constexpr (kSum == 3) _tile_dpbf16ps(3, 4, 6);
}

/// scores [32 keys][16 queries] of one block of keys, in tiles 2 and 3.
inline void multiply_scores(const Layout& layout, const std::byte* k, const std::byte* q,
                            float* scores) {
  _tile_zero(2);
  _tile_zero(3);
  for (size_t d = 0; d < layout.depth; ++d) {
    multiply_tiles<2>(k + d * kTileBytes, q + d * kTileBytes);
    multiply_tiles<3>(k + (layout.depth + d) * kTileBytes, q + d * kTileBytes);
  }
  _tile_stored(2, scores, 64);
  _tile_stored(3, scores + 16 * kQueries, 64);
}

/// The queries of the block that attend to key j.
inline __mmask16 allowed(const AttentionArgs& a, __m512i queries, int j) {
  __mmask16 mask = 0xFFFF;
  const __m512i key = _mm512_set1_epi32(j);
  if (a.causal) mask &= _mm512_cmple_epi32_mask(key, queries);
  if (a.window >= 0) {
    mask &= _mm512_cmple_epi32_mask(_mm512_abs_epi32(_mm512_sub_epi32(key, queries)),
                                    _mm512_set1_epi32(a.window));
  }
  return mask;
}

/// Scores become what softmax is taken of, in units of log 2: masked ones far below zero, biases
/// added.
void mask_scores(const AttentionArgs& a, int row, float* scores) {
  const __m512i queries =
      _mm512_add_epi32(_mm512_set1_epi32(row),
                       _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  for (int j = 0; j < a.length; ++j) {
    F s = Simd::mul(Simd::load(scores + j * kQueries), Simd::set1(a.scale));
    if (a.relative_bias != nullptr) {
      __m512i distance = _mm512_sub_epi32(_mm512_set1_epi32(j), queries);
      distance = _mm512_min_epi32(distance, _mm512_set1_epi32(a.bias_span - 1));
      distance = _mm512_max_epi32(distance, _mm512_set1_epi32(1 - a.bias_span));
      s = Simd::add(s, _mm512_i32gather_ps(distance, a.relative_bias, 4));
    }
    Simd::store(scores + j * kQueries,
                _mm512_mask_blend_ps(allowed(a, queries, j), Simd::set1(-1.0e30F), s));
  }
}

/// The largest score of each query, in units of log 2 when multiplied by `factor`.
inline F largest_scores(const float* scores, int length, F factor) {
  F high[4] = {Simd::load(scores), Simd::load(scores), Simd::load(scores), Simd::load(scores)};
  int j = 0;
  for (; j + 4 <= length; j += 4) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i)
      high[i] = Simd::max(high[i], Simd::load(scores + (j + i) * kQueries));
  }
  for (; j < length; ++j) high[0] = Simd::max(high[0], Simd::load(scores + j * kQueries));
  return Simd::mul(Simd::max(Simd::max(high[0], high[1]), Simd::max(high[2], high[3])), factor);
}

/// The exponentials of one block of up to 32 keys, relative to each query's largest.
struct Softmax {
  F factor = Simd::zero();
  F top = Simd::zero();
  F total[2] = {Simd::zero(), Simd::zero()};

  F exponential(const float* score) const {
    return exp2_short(_mm512_fmsub_ps(Simd::load(score), factor, top));
  }
  /// P tile [16 pairs of keys][16 queries][2] of `keys` keys, zeros after them.
  void block(const float* scores, int keys, std::byte* p) {
    int j = 0;
#pragma GCC unroll 2
    for (; j + 2 <= keys; j += 2) {
      put(exponential(scores + j * kQueries), exponential(scores + (j + 1) * kQueries), p + j * 32);
    }
    if (j < keys) {
      put(exponential(scores + j * kQueries), Simd::zero(), p + j * 32);
      j += 2;
    }
    for (; j < 32; j += 2) put(Simd::zero(), Simd::zero(), p + j * 32);
  }
  void put(F first, F second, std::byte* p) {
    total[0] = Simd::add(total[0], first);
    total[1] = Simd::add(total[1], second);
    join_pairs(first, second, p);
  }
};

/// out^T [16 channels][16 queries] times `inverse`, turned round and written to the queries' rows.
void write_channels(const AttentionArgs& a, int row, int rows, int channel, float* values,
                    F inverse) {
#pragma GCC unroll 4
  for (int c = 0; c < 16; ++c)
    Simd::store(values + c * kQueries, Simd::mul(Simd::load(values + c * kQueries), inverse));
  auto* tile = reinterpret_cast<std::byte*>(values);
  transpose_tile(tile, tile);
  const int n = a.head_size - channel;
  for (int r = 0; r < rows; ++r) {
    Simd::store_first(a.out + static_cast<size_t>(row + r) * a.out_stride + channel,
                      Simd::load(values + r * 16), n);
  }
}

/// One head. While the vector units take the exponentials of a block of queries, the tile unit
/// multiplies the scores of the next block and the values of this one, 32 keys at a time.
class Head {
 public:
  explicit Head(const AttentionArgs& a)
      : a_(a), layout_(a.length, a.head_size), base_(a.workspace) {
    masked_ = a.relative_bias != nullptr || a.causal || a.window >= 0 || a.scale <= 0;
    factor_ = Simd::set1((masked_ ? 1.0F : a.scale) * kLog2E);
  }

  void run() {
    pack_keys(a_, layout_.keys32 * 32, base_ + layout_.k);
    pack_values(a_, layout_, base_ + layout_.v);
    begin_block(a_.begin, 0);
    for (size_t b = 0; b < layout_.keys32; ++b) multiply_keys(b, 0);
    int turn = 0;
    for (int row = a_.begin; row < a_.end; row += kQueries, turn ^= 1) {
      if (masked_) mask_scores(a_, row, scores(turn));
      Softmax softmax{factor_, largest_scores(scores(turn), a_.length, factor_)};
      const bool more = row + kQueries < a_.end;
      if (more) begin_block(row + kQueries, turn ^ 1);
      _tile_zero(0);
      _tile_zero(1);
      for (size_t b = 0; b < layout_.keys32; ++b) {
        const int left = a_.length - static_cast<int>(b) * 32;
        softmax.block(scores(turn) + b * 32 * kQueries, left < 32 ? left : 32,
                      base_ + layout_.p + b * kTileBytes);
        if (more) multiply_keys(b, turn ^ 1);
        if (b > 0) multiply_channels(0, b - 1);
      }
      multiply_channels(0, layout_.keys32 - 1);
      finish_block(row, Simd::div(Simd::set1(1.0F), Simd::add(softmax.total[0], softmax.total[1])));
    }
  }

 private:
  float* scores(int turn) const {
    return reinterpret_cast<float*>(base_ + layout_.scores) +
           static_cast<size_t>(turn) * layout_.keys32 * 32 * kQueries;
  }
  std::byte* queries(int turn) const {
    return base_ + layout_.q + static_cast<size_t>(turn) * layout_.depth * kTileBytes;
  }

  void begin_block(int row, int turn) const {
    pack_queries(a_, row, a_.end - row < kQueries ? a_.end - row : kQueries, queries(turn));
  }
  void multiply_keys(size_t b, int turn) const {
    multiply_scores(layout_, base_ + layout_.k + b * 2 * layout_.depth * kTileBytes, queries(turn),
                    scores(turn) + b * 32 * kQueries);
  }
  /// Adds block b of keys to the channel groups c and c + 1 (the last one twice when their number
  /// is odd), in tiles 0 and 1.
  void multiply_channels(size_t c, size_t b) const {
    const std::byte* p = base_ + layout_.p + b * kTileBytes;
    const size_t second = c + 1 < layout_.channels16 ? c + 1 : c;
    multiply_tiles<0>(base_ + layout_.v + (c * layout_.keys32 + b) * kTileBytes, p);
    multiply_tiles<1>(base_ + layout_.v + (second * layout_.keys32 + b) * kTileBytes, p);
  }
  /// Writes the first two channel groups, then multiplies and writes the others.
  void finish_block(int row, F inverse) const {
    const int rows = a_.end - row < kQueries ? a_.end - row : kQueries;
    for (size_t c = 0; c < layout_.channels16; c += 2) {
      if (c > 0) {
        _tile_zero(0);
        _tile_zero(1);
        for (size_t b = 0; b < layout_.keys32; ++b) multiply_channels(c, b);
      }
      alignas(64) float block[2 * 16 * kQueries];
      _tile_stored(0, block, 64);
      _tile_stored(1, block + 16 * kQueries, 64);
      const auto channel = static_cast<int>(c) * 16;
      write_channels(a_, row, rows, channel, block, inverse);
      if (c + 1 < layout_.channels16)
        write_channels(a_, row, rows, channel + 16, block + 16 * kQueries, inverse);
    }
  }

  const AttentionArgs& a_;
  const Layout layout_;
  std::byte* const base_;
  bool masked_;
  F factor_;
};

}  // namespace

size_t amx_attention_workspace(int length, int head_size) noexcept {
  const size_t tiles = Layout(length, head_size).total;
  const size_t vectors = kAvx512Floats.attention_workspace(length, head_size);
  return tiles > vectors ? tiles : vectors;
}

void amx_attention_bf16(const AttentionArgs& args) noexcept { Head(args).run(); }

}  // namespace embedforge::kernels
