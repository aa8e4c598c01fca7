// Attention of one head of one sequence in 16-bit integers (simd/steps_i16.h) with tiles of bytes.
// A value is 256 hi + lo, hi signed and lo unsigned, so a product of two is four tile products, and
// the sums are exact: the vectors are those of the other tables, bit for bit.
//
// Everything is transposed, as in attention.cc: for 16 queries, scores^T [keys][16] = K Q^T has one
// vector a key; then out^T [channels][16] = V^T P^T. Operands are tiles of hi, then of lo. Left
// ones (K and V^T) have rows of 64 channels or keys, right ones (Q^T and P^T) are [16 fours][16
// queries][4].
#include <cstring>

#include "kernels/amx/tiles.h"
#include "kernels/amx/transpose.h"
#include "kernels/amx/units.h"
#include "kernels/avx512/vectors.h"
#include "kernels/simd/steps_i16.h"

namespace embedforge::kernels {
namespace {

constexpr int kBlock = 64;                      // bytes of a tile row: the depth of a product
constexpr size_t kDigitTiles = 2 * kTileBytes;  // hi and lo
constexpr int kQueries = 16;
constexpr size_t kSums = 3 * 16 * kQueries;  // int32: of hi hi, of hi lo and lo hi, of lo lo

constexpr size_t blocks_of(int n, int step) {
  return (static_cast<size_t>(n) + static_cast<size_t>(step) - 1) / static_cast<size_t>(step);
}

/// Byte offsets of the workspace's parts.
struct Workspace {
  size_t depth, keys64, channels16;
  size_t keys, values, queries, weights, scores, sums, total;

  Workspace(int length, int head_size)
      : depth(blocks_of(head_size, kBlock)),
        keys64(blocks_of(length, kBlock)),
        channels16(blocks_of(head_size, 16)) {
    keys = 0;
    values = keys + keys64 * 4 * depth * kDigitTiles;
    queries = values + channels16 * keys64 * kDigitTiles;
    weights = queries + depth * kDigitTiles;
    scores = weights + keys64 * kDigitTiles;
    sums = scores + keys64 * kBlock * kQueries * sizeof(float);
    total = sums + channels16 * kSums * sizeof(int32_t);
  }
};

/// The bytes of 64 values within 16 bits.
struct Digits {
  __m512i hi, lo;

  explicit Digits(const __m512i (&x)[4]) {
    // The packs work within 128-bit lanes; the permutation puts the dwords back in order.
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i low_byte = _mm512_set1_epi16(255);
    const __m512i a = _mm512_packs_epi32(x[0], x[1]);
    const __m512i b = _mm512_packs_epi32(x[2], x[3]);
    const __m512i top = _mm512_packs_epi16(_mm512_srai_epi16(a, 8), _mm512_srai_epi16(b, 8));
    const __m512i bottom =
        _mm512_packus_epi16(_mm512_and_si512(a, low_byte), _mm512_and_si512(b, low_byte));
    hi = _mm512_permutexvar_epi32(order, top);
    lo = _mm512_permutexvar_epi32(order, bottom);
  }
};

inline __m512i round_16(const float* x, int n, F steps) {
  return Simd::to_int(Simd::mul(Simd::load_first(x, n > 0 ? n : 0), steps));
}

/// Rows [row, row + rows) of x [_, head_size] times `steps` as left operands, one for each 64
/// channels; zeros up to 16 rows and whole tiles.
void round_rows(const float* x, size_t stride, int row, int rows, int head_size, float steps,
                std::byte* out) {
  const F factor = Simd::set1(steps);
  x += static_cast<size_t>(row) * stride;
  if (head_size <= 32) {  // two rows at once
    std::memset(out, 0, kDigitTiles);
    for (int r = 0; r < rows; r += 2, x += 2 * stride) {
      const int n = r + 1 < rows ? head_size : 0;
      const float* next = n > 0 ? x + stride : x;
      const Digits pair({round_16(x, head_size, factor), round_16(x + 16, head_size - 16, factor),
                         round_16(next, n, factor), round_16(next + 16, n - 16, factor)});
      const auto store = [&](std::byte* to, __m512i bytes) {
        _mm256_store_si256(reinterpret_cast<__m256i*>(to), _mm512_castsi512_si256(bytes));
        _mm256_store_si256(reinterpret_cast<__m256i*>(to + 64),
                           _mm512_extracti64x4_epi64(bytes, 1));
      };
      store(out + r * 64, pair.hi);
      store(out + kTileBytes + r * 64, pair.lo);
    }
    return;
  }
  for (int d = 0; d < head_size; d += kBlock, out += kDigitTiles) {
    for (int r = 0; r < kTileRows; ++r) {
      const float* from = r < rows ? x + static_cast<size_t>(r) * stride + d : x;
      const int n = r < rows ? head_size - d : 0;
      const Digits digits({round_16(from, n, factor), round_16(from + 16, n - 16, factor),
                           round_16(from + 32, n - 32, factor),
                           round_16(from + 48, n - 48, factor)});
      _mm512_store_si512(out + r * 64, digits.hi);
      _mm512_store_si512(out + kTileBytes + r * 64, digits.lo);
    }
  }
}

void pack_keys(const AttentionArgs& a, const Workspace& w, float steps, std::byte* out) {
  const size_t block = w.depth * kDigitTiles;
  for (int j = 0; j < a.length; j += 16, out += block)
    round_rows(a.k, a.kv_stride, j, a.length - j < 16 ? a.length - j : 16, a.head_size, steps, out);
}

void pack_queries(const AttentionArgs& a, const Workspace& w, int row, int rows, float steps,
                  std::byte* out) {
  round_rows(a.q, a.q_stride, row, rows, a.head_size, steps, out);
  for (size_t tile = 0; tile < 2 * w.depth; ++tile, out += kTileBytes) transpose_tile(out, out);
}

/// Four rows of 16 values within 16 bits as two rows of a right operand.
inline void weave_digits(const __m512i (&x)[4], std::byte* hi, std::byte* lo) {
  // Of the halves of each dword: their low bytes, then their high bytes.
  const __m512i by_digit = _mm512_set4_epi32(0x0F0D0E0C, 0x0B090A08, 0x07050604, 0x03010200);
  const auto pair = [&](__m512i even, __m512i odd) {
    const __m512i joined = _mm512_mask_blend_epi16(0xAAAAAAAA, even, _mm512_slli_epi32(odd, 16));
    return _mm512_shuffle_epi8(joined, by_digit);
  };
  const __m512i first = pair(x[0], x[1]);
  const __m512i second = pair(x[2], x[3]);
  _mm512_storeu_si512(lo,
                      _mm512_mask_blend_epi16(0xAAAAAAAA, first, _mm512_slli_epi32(second, 16)));
  _mm512_storeu_si512(hi,
                      _mm512_mask_blend_epi16(0xAAAAAAAA, _mm512_srli_epi32(first, 16), second));
}

/// V^T, all keys of 16 channels in turn.
void pack_values(const AttentionArgs& a, const Workspace& w, float steps, std::byte* out) {
  const F factor = Simd::set1(steps);
  for (int d = 0; d < a.head_size; d += 16) {
    for (int j0 = 0; j0 < static_cast<int>(w.keys64) * kBlock; j0 += kBlock, out += kDigitTiles) {
      for (int four = 0; four < 16; ++four) {
        __m512i rows[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
          const int j = j0 + four * 4 + i;
          rows[i] = _mm512_setzero_si512();
          if (j >= a.length) continue;
          const float* v = a.v + static_cast<size_t>(j) * a.kv_stride + d;
          rows[i] = Simd::to_int(Simd::mul(Simd::load_first(v, a.head_size - d), factor));
        }
        weave_digits(rows, out + four * 64, out + kTileBytes + four * 64);
      }
      transpose_tile(out, out);
      transpose_tile(out + kTileBytes, out + kTileBytes);
    }
  }
}

inline void zero_sums() {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
}

inline void load_right(const std::byte* right) {
  _tile_loadd(5, right, 64);
  _tile_loadd(6, right + kTileBytes, 64);
}

/// Adds left times the loaded right operand to the sums, which are tiles 0 to 2.
inline void multiply_left(const std::byte* left) {
  _tile_loadd(3, left, 64);
  _tile_loadd(4, left + kTileBytes, 64);
  _tile_dpbssd(0, 3, 5);
  _tile_dpbsud(1, 3, 6);
  _tile_dpbuud(2, 4, 6);
  _tile_dpbusd(1, 4, 5);
}

inline void store_sums(int32_t* sums) {
  _tile_stored(0, sums, 64);
  _tile_stored(1, sums + 256, 64);
  _tile_stored(2, sums + 512, 64);
}

/// Row r of the sums as floats.
inline F sum_of_digits(const int32_t* sums, int r) {
  const auto row = [&](int digits) { return _mm512_load_si512(sums + digits * 256 + r * 16); };
  return Simd::to_float(_mm512_add_epi32(
      _mm512_add_epi32(_mm512_slli_epi32(row(0), 16), _mm512_slli_epi32(row(1), 8)), row(2)));
}

/// The sum of the 64 lanes that softmax.h adds exponentials in, in its order: parts, then halves.
inline F sum_of_lanes(const float* lanes) {
  F sums[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) {
    const auto lane = [&](int part) { return Simd::load(lanes + (part * 16 + i) * kQueries); };
    sums[i] = Simd::add(Simd::add(lane(0), lane(1)), Simd::add(lane(2), lane(3)));
  }
#pragma GCC unroll 4
  for (int half = 8; half > 0; half /= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < half; ++i) sums[i] = Simd::add(sums[i], sums[i + half]);
  }
  return sums[0];
}

/// One head. The tile unit works ahead of the vector units: their results are read when the next
/// products have been asked for.
template <bool kCausal>
class Head {
 public:
  explicit Head(const AttentionArgs& a)
      : a_(a), w_(a.length, a.head_size), steps_(a), base_(a.workspace) {}

  void run() {
    pack_keys(a_, w_, steps_.k, base_ + w_.keys);
    pack_values(a_, w_, steps_.v, base_ + w_.values);
    for (int row = a_.begin; row < a_.end; row += kQueries) {
      Block block{row, a_.end - row < kQueries ? a_.end - row : kQueries, a_.length, {}};
      if (kCausal) block.last = row + block.rows;
      pack_queries(a_, w_, row, block.rows, steps_.q, base_ + w_.queries);
      const F largest = multiply_scores(block);
      round_weights(block, exponentials(block, largest));
      multiply_values(block);
      write_values(block);
    }
  }

 private:
  /// Up to 16 queries.
  struct Block {
    int row = 0, rows = 0;
    int last = 0;          // keys from here on are for none of them
    F value_factor = F{};  // what each query's sums of values are multiplied by

    __mmask16 allowed(int j) const {  // the queries that attend to key j
      return kCausal && j > row ? static_cast<__mmask16>(0xFFFFU << static_cast<unsigned>(j - row))
                                : 0xFFFF;
    }
  };

  float* scores(int j) const {
    return reinterpret_cast<float*>(base_ + w_.scores) + static_cast<ptrdiff_t>(j) * kQueries;
  }
  int32_t* value_sums(size_t c) const {
    return reinterpret_cast<int32_t*>(base_ + w_.sums) + c * kSums;
  }

  /// Scores with keys [0, last); gives the largest of each query.
  F multiply_scores(const Block& b) const {
    alignas(64) int32_t sums[2][kSums];
    F largest = Simd::set1(-3.0e38F);
    for (int j = 0; j < b.last; j += 16) {
      const std::byte* keys =
          base_ + w_.keys + static_cast<size_t>(j / 16) * w_.depth * kDigitTiles;
      zero_sums();
      for (size_t d = 0; d < w_.depth; ++d) {
        if (j == 0 || w_.depth > 1) load_right(base_ + w_.queries + d * kDigitTiles);
        multiply_left(keys + d * kDigitTiles);
      }
      store_sums(sums[j / 16 % 2]);
      if (j > 0) largest = write_scores(b, j - 16, sums[(j / 16 - 1) % 2], largest);
    }
    const int tail = (b.last - 1) / 16;
    return write_scores(b, tail * 16, sums[tail % 2], largest);
  }
  F write_scores(const Block& b, int j0, const int32_t* sums, F largest) const {
    const auto write = [&](int i) {
      const F s = sum_of_digits(sums, i);
      Simd::store(scores(j0 + i), s);
      largest = _mm512_mask_max_ps(largest, b.allowed(j0 + i), largest, s);
    };
    if (j0 + 16 <= b.last) {
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) write(i);
    } else {
      for (int i = 0; j0 + i < b.last; ++i) write(i);
    }
    return largest;
  }

  /// Scores become exponentials, zeros up to the next 64; gives their sums, as exponentials() of
  /// softmax.h does for a row.
  F exponentials(const Block& b, F largest) const {
    const F factor = Simd::set1(steps_.score * kLog2E);
    const F top = Simd::sub(Simd::zero(), Simd::mul(largest, factor));
    const auto exponential = [&](int j) {
      const F e = exp2_short(Simd::fma(Simd::load(scores(j)), factor, top));
      const F seen = kCausal ? _mm512_maskz_mov_ps(b.allowed(j), e) : e;
      Simd::store(scores(j), seen);
      return seen;
    };
    alignas(64) float lanes[kBlock * kQueries];
    for (int i = 0; i < kBlock; i += 4) {
      F sums[4] = {};
      for (int j = i; j + 4 <= b.last; j += kBlock) {
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) sums[k] = Simd::add(sums[k], exponential(j + k));
      }
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) Simd::store(lanes + (i + k) * kQueries, sums[k]);
    }
    for (int j = b.last / 4 * 4; j < b.last; ++j) {
      float* lane = lanes + j % kBlock * kQueries;
      Simd::store(lane, Simd::add(Simd::load(lane), exponential(j)));
    }
    for (int j = b.last; j < round_up(b.last, kBlock); ++j) Simd::store(scores(j), Simd::zero());
    return sum_of_lanes(lanes);
  }

  /// Exponentials become the weights P^T.
  void round_weights(Block& b, F sum) const {
    __m512i count = _mm512_set1_epi32(a_.length);
    if (kCausal) {
      const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
      count = _mm512_add_epi32(_mm512_set1_epi32(b.row + 1), lane);
    }
    const F most = Simd::sub(Simd::set1(2 * kMost16), Simd::to_float(count));
    const F steps = Simd::min(Simd::div(most, sum), Simd::set1(kMost16));
    b.value_factor = Simd::div(Simd::set1(steps_.value), Simd::mul(steps, sum));
    std::byte* out = base_ + w_.weights;
    for (int j = 0; j < round_up(b.last, kBlock); j += kBlock, out += kDigitTiles) {
#pragma GCC unroll 4
      for (int four = 0; four < 16; ++four) {
        __m512i p[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i)
          p[i] = Simd::to_int(Simd::mul(Simd::load(scores(j + four * 4 + i)), steps));
        weave_digits(p, out + four * 64, out + kTileBytes + four * 64);
      }
    }
  }

  void multiply_values(const Block& b) const {
    for (size_t c = 0; c < w_.channels16; ++c) {
      zero_sums();
      for (size_t block = 0; block < blocks_of(b.last, kBlock); ++block) {
        load_right(base_ + w_.weights + block * kDigitTiles);
        multiply_left(base_ + w_.values + (c * w_.keys64 + block) * kDigitTiles);
      }
      store_sums(value_sums(c));
    }
  }
  void write_values(const Block& b) const {
    for (size_t c = 0; c < w_.channels16; ++c) {
      alignas(64) float out[16 * kQueries];
#pragma GCC unroll 4
      for (int d = 0; d < 16; ++d)
        Simd::store(out + d * kQueries, Simd::mul(sum_of_digits(value_sums(c), d), b.value_factor));
      auto* tile = reinterpret_cast<std::byte*>(out);
      transpose_tile(tile, tile);
      const auto channel = static_cast<int>(c) * 16;
      for (int r = 0; r < b.rows; ++r) {
        Simd::store_first(a_.out + static_cast<size_t>(b.row + r) * a_.out_stride + channel,
                          Simd::load(out + r * 16), a_.head_size - channel);
      }
    }
  }

  const AttentionArgs& a_;
  const Workspace w_;
  const HeadSteps steps_;
  std::byte* const base_;
};

}  // namespace

size_t amx_attention_i16_workspace(int length, int head_size) noexcept {
  const size_t vectors = avx512_attention_workspace(length, head_size);
  const size_t tiles = Workspace(length, head_size).total;
  return vectors > tiles ? vectors : tiles;
}

void amx_attention_i16(const AttentionArgs& args) noexcept {
  if (!fits_i16(args)) return amx_attention_f32(args);
  const bool window = args.window >= 0 && args.window < args.length - 1;
  const bool few = args.length <= kQueries;  // the same bits sooner
  if (few || window || args.relative_bias != nullptr || args.scale < 0)
    return avx512_attention_i16(args);
  args.causal ? Head<true>(args).run() : Head<false>(args).run();
}

}  // namespace embedforge::kernels
