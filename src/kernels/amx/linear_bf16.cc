// Linear layers with tdpbf16ps: 32 rows x 32 columns in four tiles, one plane (bfloat16 tier) or
// two (float32 tier; see tiles.h).
//
// Prepared rows: blocks of 16 rows, [plane][ceil(k / 32)] tiles. Packed weights: panels of 32
// columns, [ceil(k / 32)][plane][2] tiles, each tile [16 pairs of k][16 columns][2]. Cost of 32 x
// 32 x 32 multiply-adds: 4 tdpbf16ps (64 cycles) with 4 tile loads; two planes: 16 with 12.
#include "kernels/amx/pipeline.h"
#include "kernels/amx/units.h"

namespace embedforge::kernels {
namespace {

constexpr int kColumns = 32;

constexpr size_t depth_steps(int k) { return (static_cast<size_t>(k) + kDepth - 1) / kDepth; }

template <int kPlanes>
size_t block_bytes(int k) noexcept {
  return depth_steps(k) * kPlanes * kTileBytes;
}

template <int kPlanes>
constexpr size_t panel_bytes(int k) {
  return depth_steps(k) * kPlanes * 2 * kTileBytes;
}

template <int kPlanes>
size_t weight_bytes(int k, int n) noexcept {
  return static_cast<size_t>((n + kColumns - 1) / kColumns) * panel_bytes<kPlanes>(k);
}

/// The 32 weights of column n from k0 on; zeros outside the matrix.
void weight_column(const WeightView& w, int k0, int n, float* out) {
  for (int i = 0; i < kDepth; ++i) {
    const int k = k0 + i;
    if (k >= w.k || n >= w.n) {
      out[i] = 0;
      continue;
    }
    const ptrdiff_t at = k * w.stride_k + n * w.stride_n;
    out[i] = w.values != nullptr ? w.values[at] : w.scales[n] * w.q[at];
  }
}

template <int kPlanes>
void pack(const WeightView& w, std::byte* out) noexcept {
  const auto steps = static_cast<int>(depth_steps(w.k));
  for (int n0 = 0; n0 < w.n; n0 += kColumns) {
    for (int s = 0; s < steps; ++s, out += kPlanes * 2 * kTileBytes) {
      for (int c = 0; c < kColumns; ++c) {
        alignas(64) float column[kDepth];
        alignas(64) std::byte planes[kPlanes * 64];
        weight_column(w, s * kDepth, n0 + c, column);
        split_row<kPlanes>(_mm512_load_ps(column), _mm512_load_ps(column + 16), planes, 64);
        std::byte* tile = out + (c / 16) * kTileBytes + (c % 16) * 4;
        for (int p = 0; p < kPlanes; ++p) {
          for (int pair = 0; pair < 16; ++pair) {
            std::memcpy(tile + p * 2 * kTileBytes + pair * 64, planes + p * 64 + pair * 4, 4);
          }
        }
      }
    }
  }
}

template <int kPlanes>
void prepare(const InputRows& in, std::byte* out) noexcept {
  const int k = in.k;
  const size_t plane = depth_steps(k) * kTileBytes;
  for (int row = 0; row < in.rows; row += kTileRows, out += block_bytes<kPlanes>(k)) {
    for (int r = 0; r < kTileRows; ++r) {
      const float* from = in.x + static_cast<size_t>(row + r) * in.stride;
      std::byte* to = out + r * 64;
      for (int i = 0; i < k; i += kDepth, to += kTileBytes) {
        __m512 low;
        __m512 high;
        load_32(from + i, row + r < in.rows ? k - i : 0, low, high);
        split_row<kPlanes>(low, high, to, plane);
      }
    }
  }
}

template <int kPlanes>
struct Product {
  size_t a_block;  // bytes between blocks of 16 rows
  size_t plane;    // bytes between the planes of a block

  template <int kBlocks>
  void step(const TileBlock& block, int s) const {
    const std::byte* a = block.a + static_cast<size_t>(s) * kTileBytes;
    const std::byte* panel = block.panel + static_cast<size_t>(s) * kPlanes * 2 * kTileBytes;
    load_columns(panel);
    rows_times_columns<kBlocks>(a);
    if constexpr (kPlanes == 2) {
      rows_times_columns<kBlocks>(a + plane);
      load_columns(panel + 2 * kTileBytes);
      rows_times_columns<kBlocks>(a);
      rows_times_columns<kBlocks>(a + plane);
    }
  }

  template <int kRows>
  [[gnu::always_inline]] void values(const LinearArgs& /*args*/, const TileBlock& b, int r,
                                     F (&v)[kRows][2]) const {
    const float* sums = b.sums + r * kBlockColumns;
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
      v[i][0] = Simd::load(sums + i * kBlockColumns);
      v[i][1] = Simd::load(sums + i * kBlockColumns + 16);
    }
  }

 private:
  static void load_columns(const std::byte* panel) {
    _tile_loadd(6, panel, 64);
    _tile_loadd(7, panel + kTileBytes, 64);
  }
  template <int kBlocks>
  void rows_times_columns(const std::byte* a) const {
    _tile_loadd(4, a, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    if constexpr (kBlocks == 2) {
      _tile_loadd(5, a + a_block, 64);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
};

template <int kPlanes, Act kAct>
void run_as(const LinearArgs& args) {
  const size_t steps = depth_steps(args.k);
  Pipeline<kAct, kPlanes == 1, Product<kPlanes>>(args, {args.a_stride, steps * kTileBytes},
                                                 static_cast<int>(steps),
                                                 panel_bytes<kPlanes>(args.k))
      .run();
}

template <int kPlanes>
void run(const LinearArgs& args) noexcept {
  with_act(args.act, [&](auto act) { run_as<kPlanes, decltype(act)::value>(args); });
}

template <int kPlanes>
constexpr LinearKernel make_kernel() noexcept {
  return {.row_block = kTileRows,
          .column_block = kColumns,
          .block_bytes = block_bytes<kPlanes>,
          .weight_bytes = weight_bytes<kPlanes>,
          .pack = pack<kPlanes>,
          .prepare = prepare<kPlanes>,
          .run = run<kPlanes>};
}

}  // namespace

const LinearKernel kAmxLinearBf16 = make_kernel<1>();
const LinearKernel kAmxLinearF32 = make_kernel<2>();

}  // namespace embedforge::kernels
