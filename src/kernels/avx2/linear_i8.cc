// 8-bit linear layer with AVX2: blocks of rows (rows_i8.h) times panels of 16 columns whose weights
// have 128 added, exact 32-bit sums. With d the row's steps from its centre c, and u = w + 128:
//
//   sum_k q w = sum_k d u - 128 sum_k d + c sum_k w
//
// Cost of 4 rows x 16 columns x 4 k: 8 vpmaddubsw, 8 vpmaddwd, 8 vpaddd, and 2 of each for an
// entry.
#include "kernels/avx2/rows_i8.h"
#include "kernels/avx2/simd.h"
#include "kernels/simd/finish_i8.h"
#include "kernels/simd/pack_i8.h"
#include "kernels/simd/with_count.h"
#include "kernels/tables.h"

namespace embedforge::kernels {
namespace {

constexpr int kColumns = 16;
constexpr size_t kPanelHead = kColumns * sizeof(int32_t);  // sums of w by column

size_t panel_bytes(int k) { return kPanelHead + i8_panel_bytes(k, kColumns, 1); }

size_t weight_bytes(int k, int n) noexcept {
  return static_cast<size_t>((n + kColumns - 1) / kColumns) * panel_bytes(k);
}

void pack(const WeightView& w, std::byte* out) noexcept {
  for (int n0 = 0; n0 < w.n; n0 += kColumns, out += panel_bytes(w.k)) {
    std::byte* body = out + kPanelHead;
    i8_pack_panel(w, n0, kColumns, 1, body, [](int group, int c) {
      return (static_cast<size_t>(group) * kColumns + static_cast<size_t>(c)) * 4;
    });
    auto* q = reinterpret_cast<int8_t*>(body + 2 * sizeof(float) * kColumns);
    int32_t sums[kColumns] = {};
    for (size_t i = 0; i < 4 * kColumns * k_groups(w.k, 1); ++i) {
      sums[i / 4 % kColumns] += q[i];
      q[i] = static_cast<int8_t>(q[i] ^ -128);  // plus 128, as an unsigned byte
    }
    std::memcpy(out, sums, sizeof sums);
  }
}

__m256i load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }

__m256i four_steps(const int8_t* p) {
  int32_t four = 0;
  std::memcpy(&four, p, sizeof four);
  return _mm256_set1_epi32(four);
}

/// sum + the products of four steps with the weights of 8 columns.
__m256i add_products(__m256i sum, __m256i weights, __m256i steps) {
  return _mm256_add_epi32(
      sum, _mm256_madd_epi16(_mm256_maddubs_epi16(weights, steps), _mm256_set1_epi16(1)));
}

/// c sum_k w - 128 sum_k d, for 8 columns.
__m256i first_sum(const RowHead& row, const int32_t* column_sums) {
  return _mm256_add_epi32(_mm256_mullo_epi32(load(column_sums), _mm256_set1_epi32(row.center)),
                          _mm256_set1_epi32(-128 * row.steps));
}

struct Panel {
  const int32_t* column_sums;
  const float* scales;
  const int8_t* weights;

  explicit Panel(const std::byte* p)
      : column_sums(reinterpret_cast<const int32_t*>(p)),
        scales(reinterpret_cast<const float*>(p + kPanelHead)),
        weights(reinterpret_cast<const int8_t*>(scales + 2 * kColumns)) {}
};

/// sums [kCount][16]; a: the block's steps; entries: entry_limit of each row.
template <int kCount>
void multiply(const RowHead* rows, const int8_t* a, const Entry* entries, const Panel& panel, int k,
              int32_t* out) {
  __m256i sum[kCount][2];
#pragma GCC unroll 4
  for (int r = 0; r < kCount; ++r) {
    sum[r][0] = first_sum(rows[r], panel.column_sums);
    sum[r][1] = first_sum(rows[r], panel.column_sums + 8);
  }
  const int8_t* weights = panel.weights;
  const auto groups = static_cast<int>(k_groups(k, 1));
  for (int g = 0; g < groups; ++g, weights += 4 * kColumns, a += 4 * kBlockRows) {
    const __m256i low = load(weights);
    const __m256i high = load(weights + 32);
#pragma GCC unroll 4
    for (int r = 0; r < kCount; ++r) {
      const __m256i x = four_steps(a + r * 4);
      sum[r][0] = add_products(sum[r][0], low, x);
      sum[r][1] = add_products(sum[r][1], high, x);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kCount; ++r, entries += entry_limit(k)) {
    for (const Entry* e = entries; e != entries + rows[r].entries; ++e) {
      const int8_t* of_group = panel.weights + static_cast<ptrdiff_t>(e->group) * 4 * kColumns;
      const __m256i x = four_steps(e->steps);
      sum[r][0] = add_products(sum[r][0], load(of_group), x);
      sum[r][1] = add_products(sum[r][1], load(of_group + 32), x);
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + r * kColumns), sum[r][0]);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + r * kColumns + 8), sum[r][1]);
  }
}

/// One row in 16 bits, which can't overflow.
void multiply_wide(const RowHead& row, const int8_t* a, const Panel& panel, int k, int32_t* out) {
  const auto groups = static_cast<int>(k_groups(k, 1));
  for (int v = 0; v < 4; ++v) {  // four columns each
    const auto* sums = reinterpret_cast<const __m128i*>(panel.column_sums + v * 4);
    __m128i sum = _mm_add_epi32(_mm_mullo_epi32(_mm_loadu_si128(sums), _mm_set1_epi32(row.center)),
                                _mm_set1_epi32(-128 * row.steps));
    const int8_t* weights = panel.weights + v * 16;
    for (int g = 0; g < groups; ++g, weights += 4 * kColumns) {
      int32_t four = 0;
      std::memcpy(&four, a + static_cast<ptrdiff_t>(g) * 4 * kBlockRows, sizeof four);
      const __m256i x = _mm256_cvtepi8_epi16(_mm_set1_epi32(four));
      const __m256i w =
          _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(weights)));
      const __m256i pairs = _mm256_madd_epi16(w, x);  // two a column
      const __m128i even = _mm256_castsi256_si128(pairs);
      sum = _mm_add_epi32(sum, _mm_hadd_epi32(even, _mm256_extracti128_si256(pairs, 1)));
    }
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + v * 4), sum);
  }
}

/// values [kCount][16] = the sums as floats plus the float channels of kCount rows from `row`.
template <int kCount>
void add_floats(const LinearArgs& args, int row, int column, const RowHead* rows,
                const int32_t* sums, const float* scales, float* values) {
  constexpr int kVectors = kColumns / Simd::kWidth;
  F value[kCount][kVectors];
#pragma GCC unroll 4
  for (int r = 0; r < kCount; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      value[r][v] =
          i8_value<kColumns>(rows[r].scale, sums + r * kColumns, scales, v * Simd::kWidth);
    }
  }
  const auto count = static_cast<ptrdiff_t>(args.float_channels);
  const float* x = args.floats + row * count;
  const float* w = args.float_weight + column;
  for (ptrdiff_t j = 0; j < count; ++j, w += args.float_stride) {
    const F low = Simd::load(w);
    const F high = Simd::load(w + Simd::kWidth);
#pragma GCC unroll 4
    for (int r = 0; r < kCount; ++r) {
      const F channel = Simd::set1(x[r * count + j]);
      value[r][0] = Simd::fma(low, channel, value[r][0]);
      value[r][1] = Simd::fma(high, channel, value[r][1]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kCount; ++r) {
    Simd::store(values + r * kColumns, value[r][0]);
    Simd::store(values + r * kColumns + Simd::kWidth, value[r][1]);
  }
}

void finish_block(const LinearArgs& args, const Block& b, const RowHead* rows, const int32_t* sums,
                  const float* scales) {
  if (args.floats == nullptr) {  // a RowHead begins with its RowScale
    finish_i8<kColumns>(args, b, reinterpret_cast<const std::byte*>(rows), sizeof(RowHead), sums,
                        scales);
    return;
  }
  alignas(32) float values[kBlockRows * kColumns];
  with_count<kBlockRows>(b.rows, [&](auto count) {
    add_floats<decltype(count)::value>(args, b.row, b.column, rows, sums, scales, values);
  });
  finish<true>(args, b, [&](int r, int c) { return Simd::load(values + r * kColumns + c); });
}

void run(const LinearArgs& args) noexcept {
  alignas(64) int32_t sums[kBlockRows * kColumns];
  for (int column = args.column_begin; column < args.column_end; column += kColumns) {
    const Panel panel(args.weight + static_cast<size_t>(column / kColumns) * panel_bytes(args.k));
    const int columns = args.column_end - column < kColumns ? args.column_end - column : kColumns;
    for (int row = 0; row < args.rows; row += kBlockRows) {
      const int rows = args.rows - row < kBlockRows ? args.rows - row : kBlockRows;
      const std::byte* block = args.a + static_cast<size_t>(row / kBlockRows) * args.a_stride;
      const auto& head = *reinterpret_cast<const BlockHead*>(block);
      const auto* steps = reinterpret_cast<const int8_t*>(block + sizeof head);
      const auto* entries = reinterpret_cast<const Entry*>(block + entries_offset(args.k));
      with_count<kBlockRows>(rows, [&](auto count) {
        multiply<decltype(count)::value>(head.rows, steps, entries, panel, args.k, sums);
      });
      for (int r = 0; r < rows; ++r) {
        if (head.rows[r].wide != 0)
          multiply_wide(head.rows[r], steps + r * 4, panel, args.k, sums + r * kColumns);
      }
      finish_block(args, {row, rows, column, columns}, head.rows, sums, panel.scales);
    }
  }
}

}  // namespace

const LinearKernel kAvx2LinearI8 = {.row_block = kBlockRows,
                                    .column_block = kColumns,
                                    .block_bytes = block_bytes,
                                    .weight_bytes = weight_bytes,
                                    .pack = pack,
                                    .prepare = prepare_rows,
                                    .run = run};

}  // namespace embedforge::kernels
