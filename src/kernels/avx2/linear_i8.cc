// 8-bit linear layer with AVX2: u8 rows times s8 panels of 16 columns, exact 32-bit sums.
//
// vpmaddubsw adds two products in 16 bits with saturation. It is exact when, of the two weights
// that meet in a lane, those of one sign sum to 128 or less in magnitude (255 * 128 < 2^15). A
// panel whose weights all keep to that takes the fast form; any other panel takes vpmaddwd on
// 16-bit copies, which can't overflow. Which form a panel takes is written in its head. Cost of 4
// rows x 16 columns x 4 k: fast 8 vpmaddubsw + 8 vpmaddwd + 8 vpaddd; wide 16 vpmaddwd + 16 vpaddd
// and 8 to widen.
#include "kernels/avx2/simd.h"
#include "kernels/avx2/vectors.h"
#include "kernels/simd/finish_i8.h"
#include "kernels/simd/pack_i8.h"
#include "kernels/simd/rows.h"

namespace embedforge::kernels {
namespace {

constexpr int kColumns = 16;
constexpr int kRows = 4;
constexpr size_t kRowHead = 32;    // of a prepared row: scale and offset, then the bytes
constexpr size_t kPanelHead = 32;  // of a packed panel: 1 for the wide form

size_t block_bytes(int k) noexcept { return kRowHead + (static_cast<size_t>(k) + 31) / 32 * 32; }

size_t panel_bytes(int k) { return kPanelHead + i8_panel_bytes(k, kColumns, 1); }

size_t weight_bytes(int k, int n) noexcept {
  return static_cast<size_t>((n + kColumns - 1) / kColumns) * panel_bytes(k);
}

/// Whether a pair of weights could saturate vpmaddubsw.
bool overflows(int a, int b) { return a + b > 128 || a + b < -128; }

bool needs_wide(const int8_t* q, size_t count) {
  for (size_t i = 0; i < count; i += 2) {
    if (overflows(q[i], q[i + 1])) return true;
  }
  return false;
}

void pack(const WeightView& w, std::byte* out) noexcept {
  for (int n0 = 0; n0 < w.n; n0 += kColumns, out += panel_bytes(w.k)) {
    std::byte* body = out + kPanelHead;
    i8_pack_panel(w, n0, kColumns, 1, body, [](int group, int c) {
      return (static_cast<size_t>(group) * kColumns + static_cast<size_t>(c)) * 4;
    });
    const auto* q = reinterpret_cast<const int8_t*>(body + 2 * sizeof(float) * kColumns);
    const int32_t wide = needs_wide(q, 4 * kColumns * k_groups(w.k, 1)) ? 1 : 0;
    std::memset(out, 0, kPanelHead);
    std::memcpy(out, &wide, sizeof wide);
  }
}

void prepare(const float* x, size_t stride, int rows, int k, std::byte* out) noexcept {
  for (int r = 0; r < rows; ++r, x += stride, out += block_bytes(k)) {
    const RowScale s = row_scale(x, k);
    std::memcpy(out, &s, sizeof s);
    const size_t whole = static_cast<size_t>(k) / 8 * 8;
    std::memset(out + kRowHead + whole, 0, block_bytes(k) - kRowHead - whole);
    quantize_row(x, k, s, reinterpret_cast<uint8_t*>(out + kRowHead));
  }
}

int32_t four_bytes(const std::byte* p) {
  int32_t four = 0;
  std::memcpy(&four, p, sizeof four);
  return four;
}

template <int kCount>
void multiply_narrow(const std::byte* a, size_t stride, const int8_t* panel, int groups,
                     int32_t* out) {
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sum[kCount][2];
#pragma GCC unroll 4
  for (int r = 0; r < kCount; ++r) sum[r][0] = sum[r][1] = _mm256_setzero_si256();
  for (int g = 0; g < groups; ++g, panel += 4 * kColumns) {
    const __m256i b0 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(panel));
    const __m256i b1 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(panel + 32));
#pragma GCC unroll 4
    for (int r = 0; r < kCount; ++r) {
      const __m256i x = _mm256_set1_epi32(
          four_bytes(a + static_cast<size_t>(r) * stride + static_cast<size_t>(g) * 4));
      sum[r][0] = _mm256_add_epi32(sum[r][0], _mm256_madd_epi16(_mm256_maddubs_epi16(x, b0), ones));
      sum[r][1] = _mm256_add_epi32(sum[r][1], _mm256_madd_epi16(_mm256_maddubs_epi16(x, b1), ones));
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kCount; ++r) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + r * kColumns), sum[r][0]);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + r * kColumns + 8), sum[r][1]);
  }
}

/// The wide form: bytes of the panel widened as they are loaded, [pair of k][8 columns] after the
/// two shuffles, so that a vector of sums belongs to 8 columns as in the narrow form.
template <int kCount>
void multiply_wide(const std::byte* a, size_t stride, const int8_t* panel, int groups,
                   int32_t* out) {
  __m256i sum[kCount][2];
#pragma GCC unroll 4
  for (int r = 0; r < kCount; ++r) sum[r][0] = sum[r][1] = _mm256_setzero_si256();
  for (int g = 0; g < groups; ++g, panel += 4 * kColumns) {
    __m256i even[2];  // weights of k, k + 1 for 8 columns, as 16-bit pairs
    __m256i odd[2];   // of k + 2, k + 3
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v) {
      const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(panel + v * 32));
      // Each dword holds four bytes of one column; the shifts put two of them into the high halves
      // of 16-bit lanes, sign kept.
      const __m256i low = _mm256_shuffle_epi8(
          bytes, _mm256_setr_epi8(-1, 0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13, -1, 0,
                                  -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13));
      const __m256i high = _mm256_shuffle_epi8(
          bytes, _mm256_setr_epi8(-1, 2, -1, 3, -1, 6, -1, 7, -1, 10, -1, 11, -1, 14, -1, 15, -1, 2,
                                  -1, 3, -1, 6, -1, 7, -1, 10, -1, 11, -1, 14, -1, 15));
      even[v] = _mm256_srai_epi16(low, 8);
      odd[v] = _mm256_srai_epi16(high, 8);
    }
#pragma GCC unroll 4
    for (int r = 0; r < kCount; ++r) {
      const __m128i words = _mm_cvtepu8_epi16(_mm_cvtsi32_si128(
          four_bytes(a + static_cast<size_t>(r) * stride + static_cast<size_t>(g) * 4)));
      const __m256i first = _mm256_broadcastd_epi32(words);
      const __m256i second = _mm256_broadcastd_epi32(_mm_srli_si128(words, 4));
#pragma GCC unroll 2
      for (int v = 0; v < 2; ++v) {
        sum[r][v] = _mm256_add_epi32(sum[r][v], _mm256_madd_epi16(first, even[v]));
        sum[r][v] = _mm256_add_epi32(sum[r][v], _mm256_madd_epi16(second, odd[v]));
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kCount; ++r) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + r * kColumns), sum[r][0]);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + r * kColumns + 8), sum[r][1]);
  }
}

template <bool kWide, int kCount = kRows>
void multiply_rows(int rows, const std::byte* a, size_t stride, const int8_t* panel, int groups,
                   int32_t* out) {
  if constexpr (kCount > 0) {
    if (rows == kCount) {
      if constexpr (kWide) {
        multiply_wide<kCount>(a, stride, panel, groups, out);
      } else {
        multiply_narrow<kCount>(a, stride, panel, groups, out);
      }
    } else {
      multiply_rows<kWide, kCount - 1>(rows, a, stride, panel, groups, out);
    }
  }
}

void run(const LinearArgs& args) noexcept {
  alignas(64) int32_t sums[kRows * kColumns];
  const int groups = static_cast<int>(k_groups(args.k, 1));
  for (int column = args.column_begin; column < args.column_end; column += kColumns) {
    const std::byte* panel =
        args.weight + static_cast<size_t>(column / kColumns) * panel_bytes(args.k);
    const bool wide = four_bytes(panel) != 0;
    const auto* scales = reinterpret_cast<const float*>(panel + kPanelHead);
    const auto* q = reinterpret_cast<const int8_t*>(scales + 2 * kColumns);
    const int columns = args.column_end - column < kColumns ? args.column_end - column : kColumns;
    for (int row = 0; row < args.rows; row += kRows) {
      const int rows = args.rows - row < kRows ? args.rows - row : kRows;
      const std::byte* a = args.a + static_cast<size_t>(row) * args.a_stride;
      if (wide) {
        multiply_rows<true>(rows, a + kRowHead, args.a_stride, q, groups, sums);
      } else {
        multiply_rows<false>(rows, a + kRowHead, args.a_stride, q, groups, sums);
      }
      finish_i8<kColumns>(args, {row, rows, column, columns}, a, sums, scales);
    }
  }
}

}  // namespace

const LinearKernel kAvx2LinearI8 = {.row_block = 1,
                                    .column_block = kColumns,
                                    .block_bytes = block_bytes,
                                    .weight_bytes = weight_bytes,
                                    .pack = pack,
                                    .prepare = prepare,
                                    .run = run};

}  // namespace embedforge::kernels
