// 8-bit linear layer with tdpbusd: 32 rows x 32 columns in four tiles, exact 32-bit sums.
//
// Prepared rows: blocks of 16 rows: 16 scales and offsets, then [ceil(k / 64)] tiles. Packed
// weights: panels of 32 columns as in simd/pack_i8.h, the integers as [ceil(k / 64)][2] tiles of
// [16 fours of k][16 columns][4]. Cost of 32 x 32 x 64 multiply-adds: 4 tdpbusd (64 cycles) with 4
// tile loads.
#include "kernels/amx/pipeline.h"
#include "kernels/amx/units.h"
#include "kernels/simd/finish_i8.h"
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

/// The 64 values from i on in steps of the row's scale, as bytes.
template <typename Row>
inline void quantize_64(const Row& x, int i, F offset, F inverse, std::byte* out) {
  __m512i q[4];
#pragma GCC unroll 4
  for (int v = 0; v < 4; ++v) {
    const F steps = Simd::mul(Simd::sub(x.load(i + v * 16, 16), offset), inverse);
    q[v] = _mm512_cvtps_epi32(Simd::min(steps, Simd::set1(255.0F)));
  }
  // The packs work within 128-bit lanes; the permutation puts the dwords back in order.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m512i packed =
      _mm512_packus_epi16(_mm512_packus_epi32(q[0], q[1]), _mm512_packus_epi32(q[2], q[3]));
  _mm512_storeu_si512(out, _mm512_permutexvar_epi32(order, packed));
}

/// One row of a block: its scale and offset, and a row of each tile.
template <typename Row>
inline void prepare_row(const Row& x, int k, int r, std::byte* block) {
  const RowScale s = row_scale(x, k);
  std::memcpy(block + static_cast<size_t>(r) * sizeof s, &s, sizeof s);
  const F offset = Simd::set1(s.offset);
  const F inverse = Simd::set1(s.scale > 0 ? 1.0F / s.scale : 0.0F);
  std::byte* to = block + kHead + r * 64;
  int i = 0;
  for (; i + kStep <= k; i += kStep, to += kTileBytes) quantize_64(x, i, offset, inverse, to);
  if (i < k) quantize_row(x.from(i), k - i, s, reinterpret_cast<uint8_t*>(to));
}

void prepare(const InputRows& in, std::byte* out) noexcept {
  const size_t bytes = block_bytes(in.k);
  const int filled = in.k % kStep == 0 ? in.rows / kTileRows : 0;  // blocks without a gap
  for (int b = filled; b * kTileRows < in.rows; ++b)
    std::memset(out + static_cast<size_t>(b) * bytes, 0, bytes);
  each_input_row(in, [&](int r, const auto& x) {
    prepare_row(x, in.k, r % kTileRows, out + static_cast<size_t>(r / kTileRows) * bytes);
  });
}

template <bool kFloats>
struct Product {
  size_t a_block;  // bytes between blocks of 16 rows

  template <int kBlocks>
  void step(const TileBlock& block, int s) const {
    const std::byte* a = block.a + kHead + static_cast<size_t>(s) * kTileBytes;
    const std::byte* panel = block.panel + kPanelHead + static_cast<size_t>(s) * 2 * kTileBytes;
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

  /// As i8_value() and add_float_channels(), in the same order.
  template <int kRows>
  [[gnu::always_inline]] void values(const LinearArgs& args, const TileBlock& b, int r,
                                     F (&v)[kRows][2]) const {
    const std::byte* heads = b.a + (r < kTileRows ? 0 : a_block - kTileRows * sizeof(RowScale));
    const auto* sums = reinterpret_cast<const int32_t*>(b.sums) + r * kBlockColumns;
    const auto* scales = reinterpret_cast<const float*>(b.panel);
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
      RowScale row;
      std::memcpy(&row, heads + static_cast<size_t>(r + i) * sizeof row, sizeof row);
      v[i][0] = i8_value<kColumns>(row, sums + i * kBlockColumns, scales, 0);
      v[i][1] = i8_value<kColumns>(row, sums + i * kBlockColumns, scales, 16);
    }
    if constexpr (kFloats) add_float_channels(args, b.row + r, b.column, v);
  }
};

template <Act kAct, bool kFloats>
void run_as(const LinearArgs& args) {
  Pipeline<kAct, true, Product<kFloats>>(args, {args.a_stride},
                                         static_cast<int>(depth_steps(args.k)), panel_bytes(args.k))
      .run();
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
