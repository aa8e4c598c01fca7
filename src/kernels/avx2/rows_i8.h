// Activations as the 8-bit layer of AVX2 takes them: four rows to a block, each row as signed steps
// from a centre of its own.
//
// vpmaddubsw multiplies bytes of one operand without sign (the weights, plus 128) by signed bytes
// of the other, and adds two products in 16 bits with saturation. It is exact while of the two
// activations that meet in a lane those of one sign sum to 128 or less (128 * 255 < 2^15). A row's
// steps lie around their mean, so nearly all pairs keep to that. Of a pair that doesn't, the block
// holds what fits, and the rest as further entries that are multiplied after the block. A row with
// too many of them is marked wide and multiplied in 16 bits.
#pragma once

#include <cstring>
#include <type_traits>

#include "kernels/avx2/simd.h"
#include "kernels/simd/rows.h"

namespace embedforge::kernels {
namespace {

constexpr int kBlockRows = 4;
constexpr int kStepLimit = 127;  // of one step, either way
constexpr int kPairLimit = 128;  // of two with the same sign

struct RowHead {
  RowScale scale;      // x = scale * q + offset, q in 0..255
  int32_t center = 0;  // steps are d = q - center
  int32_t steps = 0;   // sum of d over the row
  int32_t wide = 0;    // 1: pairs don't keep to the limit, and there are no entries
  int32_t entries = 0;
  int32_t padding[2] = {};  // 32 bytes
};

/// Part of a row's group of four k that didn't fit the block.
struct Entry {
  int32_t group;
  int8_t steps[4];
};

/// The front of a block. Then steps as [groups][row][4], then entry_limit(k) entries for each row.
struct BlockHead {
  RowHead rows[kBlockRows];
};
static_assert(sizeof(BlockHead) == 128);

/// Groups of four k, with room for whole vectors of 32.
constexpr int padded_groups(int k) { return (k + 31) / 32 * 8; }
/// Entries that a row may have.
constexpr int entry_limit(int k) { return padded_groups(k) / 2; }

constexpr size_t entries_offset(int k) {
  return sizeof(BlockHead) + static_cast<size_t>(padded_groups(k)) * kBlockRows * 4;
}

inline size_t block_bytes(int k) noexcept {
  return entries_offset(k) + static_cast<size_t>(entry_limit(k)) * kBlockRows * sizeof(Entry);
}

/// Writes one row into a block.
template <typename Row>
class RowWriter {
 public:
  RowWriter(std::byte* block, int row, int k)
      : head_(reinterpret_cast<BlockHead*>(block)),
        steps_(reinterpret_cast<int8_t*>(block + sizeof(BlockHead)) + row * 4),
        entries_(reinterpret_cast<Entry*>(block + entries_offset(k)) +
                 static_cast<ptrdiff_t>(row) * entry_limit(k)),
        row_(row),
        k_(k) {}

  void write(const Row& x) {
    RowHead& head = head_->rows[row_];
    head.scale = row_scale(x, k_);
    inverse_ = head.scale.scale > 0 ? 1.0F / head.scale.scale : 0.0F;
    head.center = nearest_step(mean(x), head.scale);
    if (write_steps(x, head)) return;
    head.entries = 0;
    head.center = 128;  // every step fits a byte then
    head.wide = 1;
    write_steps(x, head);
  }

 private:
  float mean(const Row& x) const {
    Partial total(Simd::zero());
    each_vector_in_parts(k_, [&](int i, int n, int part) {
      total.part[part] = Simd::add(total.part[part], x.load(i, n));
    });
    return total.sum() / static_cast<float>(k_);
  }

  int32_t nearest_step(float value, RowScale s) const {
    const float step = __builtin_rintf((value - s.offset) * inverse_);
    return static_cast<int32_t>(step > 0 ? (step < 255 ? step : 255) : 0);  // NaN: 0
  }

  /// False when the row would have too many entries.
  bool write_steps(const Row& x, RowHead& head) {
    const __m256i ones = _mm256_set1_epi16(1);
    const Rounding rounding{Simd::set1(head.scale.offset), Simd::set1(inverse_),
                            _mm256_set1_epi32(head.center)};
    const bool wide = head.wide != 0;
    const int width = k_;
    int8_t* out = steps_;
    __m256i total = _mm256_setzero_si256();
    for (int k = 0; k < width; k += 32, out += ptrdiff_t{8} * kBlockRows * 4) {
      const int count = width - k;
      // Lanes of low: k 0-3, 8-11, 4-7, 12-15; of high: the same from 16. Pairs stay together.
      const __m256i low =
          _mm256_packs_epi32(rounding.eight(x, k, count), rounding.eight(x, k + 8, count - 8));
      const __m256i high = _mm256_packs_epi32(rounding.eight(x, k + 16, count - 16),
                                              rounding.eight(x, k + 24, count - 24));
      const __m256i low_sums = _mm256_madd_epi16(low, ones);
      const __m256i high_sums = _mm256_madd_epi16(high, ones);
      total = _mm256_add_epi32(total, _mm256_add_epi32(low_sums, high_sums));
      const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high),
                                                        _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
      alignas(32) int8_t group[32];
      _mm256_store_si256(reinterpret_cast<__m256i*>(group), bytes);
      if (!wide && over_limit(low, high, low_sums, high_sums) &&
          !split_pairs(low, high, k / 4, group, head)) {
        return false;
      }
      for (int g = 0; g < 8; ++g) {
        std::memcpy(out + static_cast<ptrdiff_t>(g) * kBlockRows * 4, group + g * 4, 4);
      }
    }
    head.steps = sum(total);
    return true;
  }

  /// Whether a step or a pair of 32 steps is over its limit.
  static bool over_limit(__m256i low, __m256i high, __m256i low_sums, __m256i high_sums) {
    const __m256i steps = _mm256_max_epi16(_mm256_abs_epi16(low), _mm256_abs_epi16(high));
    const __m256i pairs = _mm256_max_epi32(_mm256_abs_epi32(low_sums), _mm256_abs_epi32(high_sums));
    const __m256i over = _mm256_or_si256(_mm256_cmpgt_epi16(steps, _mm256_set1_epi16(kStepLimit)),
                                         _mm256_cmpgt_epi32(pairs, _mm256_set1_epi32(kPairLimit)));
    return _mm256_testz_si256(over, over) == 0;
  }

  static int32_t sum(__m256i v) {
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xB1)));
  }

  struct Rounding {
    F offset, inverse;
    __m256i center;

    /// Steps d of the eight values from k on, of which `count` (any number) are there; 0 for the
    /// rest.
    __m256i eight(const Row& x, int k, int count) const {
      if (count <= 0) return _mm256_setzero_si256();
      const F value = x.load(k, count < 8 ? count : 8);
      const F step = Simd::min(Simd::mul(Simd::sub(value, offset), inverse), Simd::set1(255.0F));
      const __m256i d = _mm256_sub_epi32(_mm256_cvtps_epi32(step), center);
      return count >= 8 ? d : _mm256_and_si256(d, Simd::first(count));
    }
  };

  /// Brings every pair of 32 steps to the limit in `out`; what is cut off becomes entries.
  bool split_pairs(__m256i low, __m256i high, int group, int8_t* out, RowHead& head) {
    alignas(32) int16_t d[32];
    const auto ordered = [](__m256i v) { return _mm256_permute4x64_epi64(v, 0xD8); };
    _mm256_store_si256(reinterpret_cast<__m256i*>(d), ordered(low));
    _mm256_store_si256(reinterpret_cast<__m256i*>(d + 16), ordered(high));
    for (int i = 0; i < 32; i += 2) {
      int first = d[i];
      int second = d[i + 1];
      if (fits(first) && fits(second) && magnitude(first + second) <= kPairLimit) continue;
      take(first, second, out + i);
      while (first != 0 || second != 0) {
        if (head.entries == entry_limit(k_)) return false;
        Entry& entry = entries_[head.entries++];
        entry = {group + i / 4, {}};
        take(first, second, entry.steps + i % 4);
      }
    }
    return true;
  }

  static int magnitude(int v) { return v < 0 ? -v : v; }
  static bool fits(int v) { return magnitude(v) <= kStepLimit; }
  static int cut(int v, int limit) { return v > limit ? limit : v < -limit ? -limit : v; }

  /// Moves as much of a pair to `out` as the limits let.
  static void take(int& first, int& second, int8_t* out) {
    const int a = cut(first, kStepLimit);
    const bool same_sign = (first < 0) == (second < 0);
    const int left = kPairLimit - magnitude(a);
    const int b = cut(second, same_sign && left < kStepLimit ? left : kStepLimit);
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

inline void prepare_rows(const InputRows& in, std::byte* out) noexcept {
  each_input_row(in, [&](int r, const auto& x) {
    std::byte* block = out + static_cast<size_t>(r / kBlockRows) * block_bytes(in.k);
    if (r % kBlockRows == 0) {
      const BlockHead empty;
      std::memcpy(block, &empty, sizeof empty);
    }
    RowWriter<std::decay_t<decltype(x)>>(block, r % kBlockRows, in.k).write(x);
  });
}

}  // namespace
}  // namespace embedforge::kernels
