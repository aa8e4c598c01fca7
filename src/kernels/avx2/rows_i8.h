// Activations as the 8-bit layer of AVX2 takes them: four rows to a block, each row as signed steps
// from a centre of its own.
//
// vpmaddubsw multiplies bytes of one operand without sign (the weights, plus 128) by signed bytes
// of the other, and adds two products in 16 bits with saturation. It is exact while the two
// activations that meet in a lane sum to 127 or less in magnitude (127 * 255 < 2^15). A row's steps
// lie around their mean, so nearly all pairs keep to that. Of a pair that doesn't, the block holds
// what fits, and the rest as further entries that are multiplied after the block. A row with too
// many of them is marked wide and multiplied in 16 bits.
#pragma once

#include <cstring>

#include "kernels/avx2/simd.h"
#include "kernels/simd/rows.h"

namespace embedforge::kernels {
namespace {

constexpr int kBlockRows = 4;
constexpr int kPairLimit = 127;

struct RowHead {
  RowScale scale;       // x = scale * q + offset, q in 0..255
  int32_t center = 0;   // steps are d = q - center
  int32_t steps = 0;    // sum of d over the row
  int32_t wide = 0;     // 1: pairs don't keep to the limit, and there are no entries
  int32_t padding = 0;  // 24 bytes
};

/// Part of a row's group of four k that didn't fit the block.
struct Entry {
  uint16_t group, row;
  int8_t steps[4];
};

/// The front of a block. Then steps as [groups][row][4], then entries.
struct BlockHead {
  RowHead rows[kBlockRows];
  int32_t entries = 0;
  int32_t padding[7] = {};  // 128 bytes
};
static_assert(sizeof(BlockHead) == 128);

/// Groups of four k, with room for whole vectors of 32.
constexpr int padded_groups(int k) { return (k + 31) / 32 * 8; }
/// Entries that a row may have.
constexpr int entry_limit(int k) { return padded_groups(k) / 2; }

inline size_t block_bytes(int k) noexcept {
  return sizeof(BlockHead) + static_cast<size_t>(padded_groups(k)) * kBlockRows * 4 +
         static_cast<size_t>(entry_limit(k)) * kBlockRows * sizeof(Entry);
}

/// Writes one row into a block.
class RowWriter {
 public:
  RowWriter(std::byte* block, int row, int k)
      : head_(reinterpret_cast<BlockHead*>(block)),
        steps_(reinterpret_cast<int8_t*>(block + sizeof(BlockHead)) + row * 4),
        entries_(reinterpret_cast<Entry*>(block + sizeof(BlockHead) +
                                          static_cast<size_t>(padded_groups(k)) * kBlockRows * 4)),
        row_(row),
        k_(k) {}

  void write(const float* x) {
    RowHead& head = head_->rows[row_];
    head.scale = row_scale(x, k_);
    inverse_ = head.scale.scale > 0 ? 1.0F / head.scale.scale : 0.0F;
    head.center = nearest_step(mean(x), head.scale);
    const int32_t before = head_->entries;
    if (write_steps(x, head, before + entry_limit(k_))) return;
    head_->entries = before;
    head.center = 128;  // every step fits a byte then
    head.wide = 1;
    write_steps(x, head, before);
  }

 private:
  float mean(const float* x) const {
    F total = Simd::zero();
    each_vector(k_, [&](int i, int n) { total = Simd::add(total, load_some(x + i, n)); });
    return Simd::sum(total) / static_cast<float>(k_);
  }

  int32_t nearest_step(float value, RowScale s) const {
    const float step = __builtin_rintf((value - s.offset) * inverse_);
    return static_cast<int32_t>(step > 0 ? (step < 255 ? step : 255) : 0);  // NaN: 0
  }

  /// False when the row has more entries than fit before `last_entry`.
  bool write_steps(const float* x, RowHead& head, int32_t last_entry) {
    const __m256i ones = _mm256_set1_epi16(1);
    const __m256i limit = _mm256_set1_epi32(kPairLimit);
    __m256i total = _mm256_setzero_si256();
    for (int k = 0; k < k_; k += 32) {
      const int count = k_ - k < 32 ? k_ - k : 32;
      // Lanes of low: k 0-3, 8-11, 4-7, 12-15; of high: the same from 16. Pairs stay together.
      const __m256i low =
          _mm256_packs_epi32(eight(x + k, count, head), eight(x + k + 8, count - 8, head));
      const __m256i high = _mm256_packs_epi32(eight(x + k + 16, count - 16, head),
                                              eight(x + k + 24, count - 24, head));
      total = _mm256_add_epi32(total, _mm256_madd_epi16(_mm256_add_epi16(low, high), ones));
      const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high),
                                                        _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
      alignas(32) int8_t out[32];
      _mm256_store_si256(reinterpret_cast<__m256i*>(out), bytes);
      const __m256i over = _mm256_or_si256(
          _mm256_cmpgt_epi32(_mm256_madd_epi16(_mm256_abs_epi16(low), ones), limit),
          _mm256_cmpgt_epi32(_mm256_madd_epi16(_mm256_abs_epi16(high), ones), limit));
      if (head.wide == 0 && _mm256_testz_si256(over, over) == 0 &&
          !split_pairs(low, high, k / 4, out, last_entry)) {
        return false;
      }
      for (int g = 0; g < 8; ++g) {
        std::memcpy(steps_ + static_cast<ptrdiff_t>(k / 4 + g) * kBlockRows * 4, out + g * 4, 4);
      }
    }
    head.steps = sum(total);
    return true;
  }

  static int32_t sum(__m256i v) {
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xB1)));
  }

  /// Steps d of eight values, of which `count` (any number) are there; 0 for the rest.
  __m256i eight(const float* x, int count, const RowHead& head) const {
    if (count <= 0) return _mm256_setzero_si256();
    const F value = count >= 8 ? Simd::load(x) : Simd::load_first(x, count);
    const F step =
        Simd::min(Simd::mul(Simd::sub(value, Simd::set1(head.scale.offset)), Simd::set1(inverse_)),
                  Simd::set1(255.0F));
    const __m256i d = _mm256_sub_epi32(_mm256_cvtps_epi32(step), _mm256_set1_epi32(head.center));
    return count >= 8 ? d : _mm256_and_si256(d, Simd::first(count));
  }

  /// Brings every pair of 32 steps to the limit in `out`; what is cut off becomes entries.
  bool split_pairs(__m256i low, __m256i high, int group, int8_t* out, int32_t last_entry) {
    alignas(32) int16_t d[32];
    const auto ordered = [](__m256i v) { return _mm256_permute4x64_epi64(v, 0xD8); };
    _mm256_store_si256(reinterpret_cast<__m256i*>(d), ordered(low));
    _mm256_store_si256(reinterpret_cast<__m256i*>(d + 16), ordered(high));
    for (int i = 0; i < 32; i += 2) {
      int first = d[i];
      int second = d[i + 1];
      if (magnitude(first) + magnitude(second) <= kPairLimit) continue;
      take(first, second, out + i);
      while (first != 0 || second != 0) {
        if (head_->entries == last_entry) return false;
        Entry& entry = entries_[head_->entries++];
        entry = {static_cast<uint16_t>(group + i / 4), static_cast<uint16_t>(row_), {}};
        take(first, second, entry.steps + i % 4);
      }
    }
    return true;
  }

  static int magnitude(int v) { return v < 0 ? -v : v; }
  static int cut(int v, int limit) { return v > limit ? limit : v < -limit ? -limit : v; }

  /// Moves as much of a pair to `out` as the limit lets.
  static void take(int& first, int& second, int8_t* out) {
    const int a = cut(first, kPairLimit);
    const int b = cut(second, kPairLimit - magnitude(a));
    out[0] = static_cast<int8_t>(a);
    out[1] = static_cast<int8_t>(b);
    first -= a;
    second -= b;
  }

  BlockHead* head_;
  int8_t* steps_;
  Entry* entries_;
  int row_, k_;
  float inverse_ = 0;
};

inline void prepare_rows(const float* x, size_t stride, int rows, int k, std::byte* out) noexcept {
  for (int row = 0; row < rows; row += kBlockRows, out += block_bytes(k)) {
    const BlockHead empty;
    std::memcpy(out, &empty, sizeof empty);
    for (int r = 0; r < kBlockRows && row + r < rows; ++r, x += stride) {
      RowWriter(out, r, k).write(x);
    }
  }
}

}  // namespace
}  // namespace embedforge::kernels
