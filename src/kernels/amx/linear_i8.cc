// 8-bit linear layer with tdpbusd: 32 rows x 32 columns in four tiles, exact 32-bit sums.
//
// Prepared rows: blocks of 16 rows: 16 scales and offsets, then [ceil(k / 64)] tiles. Packed weights: panels of 32 columns as in
// simd/pack_i8.h, the integers as [ceil(k / 64)][2] tiles of [16 fours of k][16 columns][4].
// Cost of 32 x 32 x 64 multiply-adds: 4 tdpbusd (64 cycles) with 4 tile loads.
#include "kernels/amx/tiles.h"
#include "kernels/amx/units.h"
#include "kernels/simd/finish.h"
#include "kernels/simd/pack_i8.h"
#include "kernels/simd/rows.h"

namespace embedforge::kernels {
namespace {

constexpr int kColumns = 32;
constexpr int kRows = 32;
constexpr int kStep = 64;  // bytes of a tile row: the k that one tdpbusd covers
constexpr size_t kHead = kTileRows * sizeof(RowScale);

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

void prepare(const float* x, size_t stride, int rows, int k, std::byte* out) noexcept {
  for (int row = 0; row < rows; row += kTileRows, out += block_bytes(k)) {
    std::byte* tiles = out + kHead;
    if (k % kStep != 0 || rows - row < kTileRows) std::memset(tiles, 0, block_bytes(k) - kHead);
    for (int r = 0; r < kTileRows; ++r) {
      RowScale s;
      if (row + r < rows) {
        const float* from = x + static_cast<size_t>(row + r) * stride;
        s = row_scale(from, k);
        for (int i = 0; i < k; i += kStep) {
          const int n = k - i < kStep ? k - i : kStep;
          quantize_row(from + i, n, s, reinterpret_cast<uint8_t*>(tiles + i / kStep * kTileBytes + r * 64));
        }
      }
      std::memcpy(out + static_cast<size_t>(r) * sizeof s, &s, sizeof s);
    }
  }
}

template <int kBlocks>
inline void multiply(const std::byte* a, size_t a_block, const int8_t* panel, int steps, int32_t* sums) {
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
  constexpr int kStride = kColumns * sizeof(int32_t);
  _tile_stored(0, sums, kStride);
  _tile_stored(1, sums + 16, kStride);
  if constexpr (kBlocks == 2) {
    _tile_stored(2, sums + 16 * kColumns, kStride);
    _tile_stored(3, sums + 16 * kColumns + 16, kStride);
  }
}

void run(const LinearArgs& args) noexcept {
  alignas(64) int32_t sums[kRows * kColumns];
  const auto steps = static_cast<int>(depth_steps(args.k));
  for (int column = args.column_begin; column < args.column_end; column += kColumns) {
    const std::byte* panel = args.weight + static_cast<size_t>(column / kColumns) * panel_bytes(args.k);
    const auto* scales = reinterpret_cast<const float*>(panel);
    const float* column_sums = scales + kColumns;
    const auto* q = reinterpret_cast<const int8_t*>(column_sums + kColumns);
    const int columns = args.column_end - column < kColumns ? args.column_end - column : kColumns;
    for (int row = 0; row < args.rows; row += kRows) {
      const int rows = args.rows - row < kRows ? args.rows - row : kRows;
      const std::byte* a = args.a + static_cast<size_t>(row / kTileRows) * args.a_stride;
      if (rows > kTileRows) {
        multiply<2>(a + kHead, args.a_stride, q, steps, sums);
      } else {
        multiply<1>(a + kHead, args.a_stride, q, steps, sums);
      }
      finish<true>(args, {row, rows, column, columns}, [&](int r, int c) {
        RowScale s;
        const std::byte* head = a + static_cast<size_t>(r / kTileRows) * args.a_stride;
        std::memcpy(&s, head + static_cast<size_t>(r % kTileRows) * sizeof s, sizeof s);
        const F scaled = Simd::mul(Simd::load_ints(sums + r * kColumns + c), Simd::load(scales + c));
        return Simd::fma(Simd::load(column_sums + c), Simd::set1(s.offset), Simd::mul(scaled, Simd::set1(s.scale)));
      });
    }
  }
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
