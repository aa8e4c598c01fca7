// Linear layers with tdpbf16ps: 32 rows x 32 columns in four tiles, one plane (bfloat16 tier) or two (float32 tier; see tiles.h).
//
// Prepared rows: blocks of 16 rows, [plane][ceil(k / 32)] tiles. Packed weights: panels of 32 columns, [ceil(k / 32)][plane][2] tiles,
// each tile [16 pairs of k][16 columns][2].
// Cost of 32 x 32 x 32 multiply-adds: 4 tdpbf16ps (64 cycles) with 4 tile loads; two planes: 12 with 10.
#include "kernels/amx/tiles.h"
#include "kernels/amx/units.h"
#include "kernels/simd/finish.h"

namespace embedforge::kernels {
namespace {

constexpr int kColumns = 32;
constexpr int kRows = 32;

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
void prepare(const float* x, size_t stride, int rows, int k, std::byte* out) noexcept {
  const size_t plane = depth_steps(k) * kTileBytes;
  for (int row = 0; row < rows; row += kTileRows, out += block_bytes<kPlanes>(k)) {
    for (int r = 0; r < kTileRows; ++r) {
      const float* from = x + static_cast<size_t>(row + r) * stride;
      std::byte* to = out + r * 64;
      for (int i = 0; i < k; i += kDepth, to += kTileBytes) {
        __m512 low;
        __m512 high;
        load_32(from + i, row + r < rows ? k - i : 0, low, high);
        split_row<kPlanes>(low, high, to, plane);
      }
    }
  }
}

/// sums [kBlocks * 16][32] = rows times panel; the accumulators are tiles 0-3, the operands tiles 4-7.
template <int kPlanes, int kBlocks>
inline void multiply(const std::byte* a, size_t a_block, const std::byte* panel, int steps, float* sums) {
  const size_t plane = static_cast<size_t>(steps) * kTileBytes;
  const std::byte* a1 = a + a_block;
  _tile_zero(0);
  _tile_zero(1);
  if constexpr (kBlocks == 2) {
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int s = 0; s < steps; ++s) {
    _tile_loadd(4, a, 64);
    _tile_loadd(6, panel, 64);
    _tile_loadd(7, panel + kTileBytes, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    if constexpr (kBlocks == 2) {
      _tile_loadd(5, a1, 64);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
    if constexpr (kPlanes == 2) {
      _tile_loadd(4, a + plane, 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      if constexpr (kBlocks == 2) {
        _tile_loadd(5, a1 + plane, 64);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
      _tile_loadd(4, a, 64);
      _tile_loadd(6, panel + 2 * kTileBytes, 64);
      _tile_loadd(7, panel + 3 * kTileBytes, 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      if constexpr (kBlocks == 2) {
        _tile_loadd(5, a1, 64);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
    }
    a += kTileBytes;
    a1 += kTileBytes;
    panel += kPlanes * 2 * kTileBytes;
  }
  constexpr int kStride = kColumns * sizeof(float);
  _tile_stored(0, sums, kStride);
  _tile_stored(1, sums + 16, kStride);
  if constexpr (kBlocks == 2) {
    _tile_stored(2, sums + 16 * kColumns, kStride);
    _tile_stored(3, sums + 16 * kColumns + 16, kStride);
  }
}

template <int kPlanes>
void run(const LinearArgs& args) noexcept {
  alignas(64) float sums[kRows * kColumns];
  const auto steps = static_cast<int>(depth_steps(args.k));
  for (int column = args.column_begin; column < args.column_end; column += kColumns) {
    const std::byte* panel = args.weight + static_cast<size_t>(column / kColumns) * panel_bytes<kPlanes>(args.k);
    const int columns = args.column_end - column < kColumns ? args.column_end - column : kColumns;
    for (int row = 0; row < args.rows; row += kRows) {
      const int rows = args.rows - row < kRows ? args.rows - row : kRows;
      const std::byte* a = args.a + static_cast<size_t>(row / kTileRows) * args.a_stride;
      if (rows > kTileRows) {
        multiply<kPlanes, 2>(a, args.a_stride, panel, steps, sums);
      } else {
        multiply<kPlanes, 1>(a, args.a_stride, panel, steps, sums);
      }
      finish<kPlanes == 1>(args, {row, rows, column, columns},
                           [&](int r, int c) { return Simd::load(sums + r * kColumns + c); });
    }
  }
}

template <int kPlanes>
constexpr LinearKernel make_kernel() {
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
