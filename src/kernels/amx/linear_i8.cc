// 8-bit linear layer with tdpbusd: 32 rows x 32 columns in four tiles, exact 32-bit sums.
//
// Prepared rows: blocks of 16 rows: 16 scales and offsets, then [ceil(k / 64)] tiles. Packed
// weights: panels of 32 columns as in simd/pack_i8.h, the integers as [ceil(k / 64)][2] tiles of
// [16 fours of k][16 columns][4]. Cost of 32 x 32 x 64 multiply-adds: 4 tdpbusd (64 cycles) with 4
// tile loads.
#include "kernels/amx/pipeline.h"
#include "kernels/amx/units.h"
#include "kernels/simd/float_channels.h"
#include "kernels/simd/pack_i8.h"
#include "kernels/simd/rows.h"

namespace embedforge::kernels {
namespace {

constexpr int kColumns = 32;
constexpr int kStep = 64;  // bytes of a tile row: the k that one tdpbusd covers
constexpr size_t kHead = kTileRows * sizeof(RowScale);  // of a row block: its scales and offsets
constexpr size_t kPanelHead = 2 * kColumns * sizeof(float);  // of a panel: column scales and sums

constexpr size_t depth_steps(int k) { return (static_cast<size_t>(k) + kStep - 1) / kStep; }

size_t block_bytes(int k) noexcept { return kHead + depth_steps(k) * kTileBytes; }

constexpr size_t panel_bytes(int k) { return i8_panel_bytes(k, kColumns, kTileRows); }

size_t weight_bytes(int k, int n) noexcept {
  return static_cast<size_t>((n + kColumns - 1) / kColumns) * panel_bytes(k);
}

void pack(const WeightView& w, std::byte* out) noexcept {
  for (int n0 = 0; n0 < w.n; n0 += kColumns, out += panel_bytes(w.k)) {
    i8_pack_panel(w, n0, kColumns, kTileRows, out, [](int group, int c) {
      const int tile = group / kTileRows * 2 + c / 16;
      return static_cast<size_t>(tile) * kTileBytes + static_cast<size_t>(group % kTileRows) * 64 +
             static_cast<size_t>(c % 16) * 4;
    });
  }
}

/// 64 floats in steps of the row's scale, as bytes.
inline void quantize_64(const float* x, F offset, F inverse, std::byte* out) {
  __m512i q[4];
#pragma GCC unroll 4
  for (int v = 0; v < 4; ++v) {
    const F steps = Simd::mul(Simd::sub(Simd::load(x + v * 16), offset), inverse);
    q[v] = _mm512_cvtps_epi32(Simd::min(steps, Simd::set1(255.0F)));
  }
  // The packs work within 128-bit lanes; the permutation puts the dwords back in order.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m512i packed =
      _mm512_packus_epi16(_mm512_packus_epi32(q[0], q[1]), _mm512_packus_epi32(q[2], q[3]));
  _mm512_storeu_si512(out, _mm512_permutexvar_epi32(order, packed));
}

void prepare(const float* x, size_t stride, int rows, int k, std::byte* out) noexcept {
  for (int row = 0; row < rows; row += kTileRows, out += block_bytes(k)) {
    std::byte* tiles = out + kHead;
    if (k % kStep != 0 || rows - row < kTileRows) std::memset(tiles, 0, block_bytes(k) - kHead);
    for (int r = 0; r < kTileRows; ++r) {
      RowScale s;
      if (row + r < rows) {
        const float* from = x + static_cast<size_t>(row + r) * stride;
        s = row_scale(from, k);
        const F inverse = Simd::set1(s.scale > 0 ? 1.0F / s.scale : 0.0F);
        std::byte* to = tiles + r * 64;
        int i = 0;
        for (; i + kStep <= k; i += kStep, to += kTileBytes)
          quantize_64(from + i, Simd::set1(s.offset), inverse, to);
        if (i < k) quantize_row(from + i, k - i, s, reinterpret_cast<uint8_t*>(to));
      }
      std::memcpy(out + static_cast<size_t>(r) * sizeof s, &s, sizeof s);
    }
  }
}

/// The accumulators are tiles 0-3, the operands tiles 4-7.
struct Product {
  size_t a_block;  // bytes between blocks of 16 rows

  /// sums [kBlocks * 16][32] = rows times panel.
  template <int kBlocks>
  void multiply(const PendingBlock& block, int steps, float* sums) const {
    const std::byte* a = block.a + kHead;
    const std::byte* panel = block.panel + kPanelHead;
    _tile_zero(0);
    _tile_zero(1);
    if constexpr (kBlocks == 2) {
      _tile_zero(2);
      _tile_zero(3);
    }
    for (int s = 0; s < steps; ++s, a += kTileBytes, panel += 2 * kTileBytes) {
      _tile_loadd(4, a, 64);
      _tile_loadd(6, panel, 64);
      _tile_loadd(7, panel + kTileBytes, 64);
      _tile_dpbusd(0, 4, 6);
      _tile_dpbusd(1, 4, 7);
      if constexpr (kBlocks == 2) {
        _tile_loadd(5, a + a_block, 64);
        _tile_dpbusd(2, 5, 6);
        _tile_dpbusd(3, 5, 7);
      }
    }
    constexpr int kStride = kBlockColumns * sizeof(int32_t);
    _tile_stored(0, sums, kStride);
    _tile_stored(1, sums + 16, kStride);
    if constexpr (kBlocks == 2) {
      _tile_stored(2, sums + 16 * kBlockColumns, kStride);
      _tile_stored(3, sums + 16 * kBlockColumns + 16, kStride);
    }
  }
};

/// value = row scale * (column scale * sum) + (row offset * column sum + bias)
template <Act kAct, bool kFloats>
void run_as(const LinearArgs& args) {
  const Product product{args.a_stride};
  run_pipelined(args, static_cast<int>(depth_steps(args.k)), panel_bytes(args.k), product,
                [&](const PendingBlock& b) {
                  F bias_low;
                  F bias_high;
                  load_bias(args, b.column, b.columns, bias_low, bias_high);
                  const auto* scales = reinterpret_cast<const float*>(b.panel);
                  const F scale_low = Simd::load(scales);
                  const F scale_high = Simd::load(scales + 16);
                  const F sum_low = Simd::load(scales + kColumns);
                  const F sum_high = Simd::load(scales + kColumns + 16);
                  const auto* sums = static_cast<const int32_t*>(b.sums);
                  write_block<kAct, true>(
                      args, b.row, b.column, b.rows, b.columns, [&](int r, F& low, F& high) {
                        const std::byte* head =
                            b.a +
                            (r < kTileRows ? 0 : args.a_stride - kTileRows * sizeof(RowScale));
                        RowScale s;
                        std::memcpy(&s, head + static_cast<size_t>(r) * sizeof s, sizeof s);
                        const F scale = Simd::set1(s.scale);
                        const F offset = Simd::set1(s.offset);
                        const int32_t* from = sums + r * kBlockColumns;
                        low = Simd::fma(Simd::mul(Simd::load_ints(from), scale_low), scale,
                                        Simd::fma(sum_low, offset, bias_low));
                        high = Simd::fma(Simd::mul(Simd::load_ints(from + 16), scale_high), scale,
                                         Simd::fma(sum_high, offset, bias_high));
                        if constexpr (kFloats) {
                          low = add_float_channels(args, b.row + r, b.column, low);
                          high = add_float_channels(args, b.row + r, b.column + 16, high);
                        }
                      });
                });
}

void run(const LinearArgs& args) noexcept {
  with_act(args.act, [&](auto act) {
    constexpr Act kAct = decltype(act)::value;
    args.floats == nullptr ? run_as<kAct, false>(args) : run_as<kAct, true>(args);
  });
}

}  // namespace

const LinearKernel kAmxLinearI8 = {.row_block = kTileRows,
                                   .column_block = kColumns,
                                   .block_bytes = block_bytes,
                                   .weight_bytes = weight_bytes,
                                   .pack = pack,
                                   .prepare = prepare,
                                   .run = run};

}  // namespace embedforge::kernels
