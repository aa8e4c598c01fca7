// bfloat16 linear layer with vdpbf16ps (AVX-512 BF16), where the processor has it: pairs of k, sums
// in floats, twice the products of float32 an instruction. Prepared rows: k values, zeros up to a
// multiple of 32. Packed weights: panels [ceil(k / 2)][32 columns][2]. Cost of 12 rows x 32 columns
// x 2 k: 24 vdpbf16ps, 2 loads, 12 broadcasts.
#include <cstring>

#include "kernels/avx512/simd.h"
#include "kernels/simd/finish.h"
#include "kernels/simd/rows.h"
#include "kernels/simd/with_count.h"
#include "kernels/tables.h"

namespace embedforge::kernels {
namespace {

constexpr int kColumns = 32;
constexpr int kRows = 12;

int pairs_of(int k) { return (k + 1) / 2; }

size_t block_bytes(int k) noexcept { return (static_cast<size_t>(k) + 31) / 32 * 64; }

size_t panel_bytes(int k) { return static_cast<size_t>(pairs_of(k)) * kColumns * 4; }

size_t weight_bytes(int k, int n) noexcept {
  return static_cast<size_t>((n + kColumns - 1) / kColumns) * panel_bytes(k);
}

/// The nearest bfloat16, ties to even.
uint16_t to_bf16(float x) {
  uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  return static_cast<uint16_t>((bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U);
}

uint16_t weight_at(const WeightView& w, int k, int n) {
  if (k >= w.k || n >= w.n) return 0;
  const ptrdiff_t at = k * w.stride_k + n * w.stride_n;
  return to_bf16(w.values != nullptr ? w.values[at] : w.scales[n] * w.q[at]);
}

void pack(const WeightView& w, std::byte* bytes) noexcept {
  auto* out = reinterpret_cast<uint16_t*>(bytes);
  for (int n0 = 0; n0 < w.n; n0 += kColumns) {
    for (int k = 0; k < w.k; k += 2) {
      for (int c = 0; c < kColumns; ++c, out += 2) {
        out[0] = weight_at(w, k, n0 + c);
        out[1] = weight_at(w, k + 1, n0 + c);
      }
    }
  }
}

void prepare(const InputRows& in, std::byte* out) noexcept {
  const int k = in.k;
  const float* x = in.x;
  for (int r = 0; r < in.rows; ++r, x += in.stride) {
    for (int i = 0; i < k; i += 32, out += 64) {
      const F low = Simd::load_first(x + i, k - i);
      const F high = k - i > 16 ? Simd::load_first(x + i + 16, k - i - 16) : Simd::zero();
      _mm512_storeu_si512(out, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
    }
  }
}

/// out [kCount][kColumns] = rows times panel.
template <int kCount>
void multiply(const std::byte* a, size_t stride, const std::byte* panel, int pairs, float* out) {
  F sum[kCount][2];
#pragma GCC unroll 12
  for (int r = 0; r < kCount; ++r) sum[r][0] = sum[r][1] = Simd::zero();
  for (int i = 0; i < pairs; ++i, panel += 4 * kColumns) {
    const auto low = reinterpret_cast<__m512bh>(_mm512_loadu_si512(panel));
    const auto high = reinterpret_cast<__m512bh>(_mm512_loadu_si512(panel + 64));
#pragma GCC unroll 12
    for (int r = 0; r < kCount; ++r) {
      int32_t pair = 0;
      std::memcpy(&pair, a + static_cast<size_t>(r) * stride + static_cast<size_t>(i) * 4,
                  sizeof pair);
      const auto x = reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
      sum[r][0] = _mm512_dpbf16_ps(sum[r][0], x, low);
      sum[r][1] = _mm512_dpbf16_ps(sum[r][1], x, high);
      asm("" : "+v"(sum[r][0]), "+v"(sum[r][1]));  // g++ 12 would copy every sum in each step
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < kCount; ++r) {
    Simd::store(out + r * kColumns, sum[r][0]);
    Simd::store(out + r * kColumns + 16, sum[r][1]);
  }
}

void run(const LinearArgs& args) noexcept {
  alignas(64) float block[kRows * kColumns];
  float* sums = block;
  const size_t stride = args.a_stride;
  const int pairs = pairs_of(args.k);
  for (int column = args.column_begin; column < args.column_end; column += kColumns) {
    const std::byte* panel =
        args.weight + static_cast<size_t>(column / kColumns) * panel_bytes(args.k);
    const int columns = args.column_end - column < kColumns ? args.column_end - column : kColumns;
    for (int row = 0; row < args.rows; row += kRows) {
      const int rows = args.rows - row < kRows ? args.rows - row : kRows;
      const std::byte* a = args.a + static_cast<size_t>(row) * stride;
      // Copies: what is behind a reference would be read again in each step.
      with_count<kRows>(rows, [=](auto count) {
        multiply<decltype(count)::value>(a, stride, panel, pairs, sums);
      });
      finish<true>(args, {row, rows, column, columns},
                   [&](int r, int c) { return Simd::load(sums + r * kColumns + c); });
    }
  }
}

}  // namespace

const LinearKernel kAvx512LinearBf16 = {.row_block = 1,
                                        .column_block = kColumns,
                                        .block_bytes = block_bytes,
                                        .weight_bytes = weight_bytes,
                                        .pack = pack,
                                        .prepare = prepare,
                                        .run = run};

}  // namespace embedforge::kernels
