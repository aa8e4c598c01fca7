// 8-bit linear layer with vpdpbusd (AVX-512 VNNI): u8 rows times s8 panels of 64 columns, exact
// 32-bit sums. Cost of 6 rows x 64 columns x 4 k: 24 vpdpbusd, 4 loads, 6 broadcasts.
#include "kernels/avx512/simd.h"
#include "kernels/simd/finish_i8.h"
#include "kernels/simd/pack_i8.h"
#include "kernels/simd/rows.h"
#include "kernels/simd/with_count.h"
#include "kernels/tables.h"

namespace embedforge::kernels {
namespace {

constexpr int kColumns = 64;
constexpr int kRows = 6;
constexpr size_t kHead = 64;  // of a prepared row: scale and offset, then the bytes

size_t block_bytes(int k) noexcept { return kHead + (static_cast<size_t>(k) + 63) / 64 * 64; }

size_t weight_bytes(int k, int n) noexcept {
  return static_cast<size_t>((n + kColumns - 1) / kColumns) * i8_panel_bytes(k, kColumns, 1);
}

void pack(const WeightView& w, std::byte* out) noexcept {
  for (int n0 = 0; n0 < w.n; n0 += kColumns, out += i8_panel_bytes(w.k, kColumns, 1)) {
    i8_pack_panel(w, n0, kColumns, 1, out, [](int group, int c) {
      return (static_cast<size_t>(group) * kColumns + static_cast<size_t>(c)) * 4;
    });
  }
}

void prepare(const InputRows& in, std::byte* out) noexcept {
  const int k = in.k;
  each_input_row(in, [&](int /*r*/, const auto& x) {
    const RowScale s = row_scale(x, k);
    std::memcpy(out, &s, sizeof s);
    std::memset(out + kHead + (k / 16 * 16), 0,
                block_bytes(k) - kHead - (static_cast<size_t>(k) / 16 * 16));
    quantize_row(x, k, s, reinterpret_cast<uint8_t*>(out + kHead));
    out += block_bytes(k);
  });
}

template <int kCount>
void multiply(const std::byte* a, size_t stride, const int8_t* panel, int groups, int32_t* out) {
  __m512i sum[kCount][4];
#pragma GCC unroll 6
  for (int r = 0; r < kCount; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) sum[r][v] = _mm512_setzero_si512();
  }
  for (int g = 0; g < groups; ++g) {
    __m512i b[4];
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) b[v] = _mm512_loadu_si512(panel + v * 64);
#pragma GCC unroll 6
    for (int r = 0; r < kCount; ++r) {
      int32_t four = 0;
      std::memcpy(&four, a + static_cast<size_t>(r) * stride + static_cast<size_t>(g) * 4,
                  sizeof four);
      const __m512i x = _mm512_set1_epi32(four);
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) sum[r][v] = _mm512_dpbusd_epi32(sum[r][v], x, b[v]);
    }
    panel += 4 * kColumns;
  }
#pragma GCC unroll 6
  for (int r = 0; r < kCount; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) _mm512_storeu_si512(out + r * kColumns + v * 16, sum[r][v]);
  }
}

void run(const LinearArgs& args) noexcept {
  alignas(64) int32_t sums[kRows * kColumns];
  const int groups = static_cast<int>(k_groups(args.k, 1));
  const size_t panel_bytes = i8_panel_bytes(args.k, kColumns, 1);
  for (int column = args.column_begin; column < args.column_end; column += kColumns) {
    const std::byte* panel = args.weight + static_cast<size_t>(column / kColumns) * panel_bytes;
    const auto* scales = reinterpret_cast<const float*>(panel);
    const auto* q = reinterpret_cast<const int8_t*>(scales + 2 * kColumns);
    const int columns = args.column_end - column < kColumns ? args.column_end - column : kColumns;
    for (int row = 0; row < args.rows; row += kRows) {
      const int rows = args.rows - row < kRows ? args.rows - row : kRows;
      const std::byte* a = args.a + static_cast<size_t>(row) * args.a_stride;
      with_count<kRows>(rows, [&](auto count) {
        multiply<decltype(count)::value>(a + kHead, args.a_stride, q, groups, sums);
      });
      finish_i8<kColumns>(args, {row, rows, column, columns}, a, args.a_stride, sums, scales);
    }
  }
}

}  // namespace

const LinearKernel kAvx512LinearI8 = {.row_block = 1,
                                      .column_block = kColumns,
                                      .block_bytes = block_bytes,
                                      .weight_bytes = weight_bytes,
                                      .pack = pack,
                                      .prepare = prepare,
                                      .run = run};

}  // namespace embedforge::kernels
