// The loop that the AMX linear layers share: blocks of 32 rows x 32 columns. The vector units
// finish one block while the tile unit multiplies the next: a few rows are finished after every
// step of the product, so that the instructions of both are always near each other in the program.
#pragma once

#include "kernels/amx/tiles.h"
#include "kernels/simd/math.h"

namespace embedforge::kernels {
namespace {

constexpr int kBlockColumns = 32;
constexpr int kBlockRows = 32;
constexpr int kFinishRows = 4;  // rows whose sums are in registers at once

/// A block of the result.
struct TileBlock {
  int row = 0, rows = 0, column = 0, columns = 0;
  const std::byte* a = nullptr;      // its prepared rows
  const std::byte* panel = nullptr;  // its packed columns
  float* sums = nullptr;             // [32][32] of 32 bits
};

/// out = act(v + bias + add) for rows [r, r + kRows) of a block of 32 columns.
template <Act kAct, bool kShort, int kRows>
[[gnu::always_inline]] inline void write_rows(const LinearArgs& args, const TileBlock& b, int r,
                                              F (&v)[kRows][2]) {
  const auto row = static_cast<size_t>(b.row + r);
  if (args.bias != nullptr) {
    const F low = Simd::load(args.bias + b.column);
    const F high = Simd::load(args.bias + b.column + 16);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      v[i][0] = Simd::add(v[i][0], low);
      v[i][1] = Simd::add(v[i][1], high);
    }
  }
  if (args.add != nullptr) {
    const float* add = args.add + row * args.add_stride + b.column;
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i, add += args.add_stride) {
      v[i][0] = Simd::add(v[i][0], Simd::load(add));
      v[i][1] = Simd::add(v[i][1], Simd::load(add + 16));
    }
  }
  float* out = args.out + row * args.out_stride + b.column;
  const size_t out_stride = args.out_stride;
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i, out += out_stride) {
    Simd::store(out, activate<kShort>(kAct, v[i][0]));
    Simd::store(out + 16, activate<kShort>(kAct, v[i][1]));
  }
}

/// The same for one row of a block of fewer columns.
template <Act kAct, bool kShort>
void write_part(const LinearArgs& args, const TileBlock& b, int r, F (&v)[1][2]) {
  const auto row = static_cast<size_t>(b.row + r);
  for (int half = 0; half * 16 < b.columns; ++half) {
    const int n = b.columns - half * 16;
    const int column = b.column + half * 16;
    F sum = v[0][half];
    if (args.bias != nullptr) sum = Simd::add(sum, Simd::load_first(args.bias + column, n));
    if (args.add != nullptr)
      sum = Simd::add(sum, Simd::load_first(args.add + row * args.add_stride + column, n));
    Simd::store_first(args.out + row * args.out_stride + column, activate<kShort>(kAct, sum), n);
  }
}

/// The sums of a block are tiles 0 to 3: left and right of 16 rows, then of the other 16.
template <int kBlocks>
inline void zero_sums() {
  _tile_zero(0);
  _tile_zero(1);
  if constexpr (kBlocks == 2) {
    _tile_zero(2);
    _tile_zero(3);
  }
}

template <int kBlocks>
inline void store_sums(float* sums) {
  constexpr int kStride = kBlockColumns * sizeof(float);
  _tile_stored(0, sums, kStride);
  _tile_stored(1, sums + 16, kStride);
  if constexpr (kBlocks == 2) {
    _tile_stored(2, sums + 16 * kBlockColumns, kStride);
    _tile_stored(3, sums + 16 * kBlockColumns + 16, kStride);
  }
}

/// product.step<blocks of 16 rows>(block, s) adds one step of k to tiles 0 to 3, with the operands
/// in tiles 4 to 7; product.values(args, block, r, v) gives the sums of the rows from r on, before
/// the bias.
template <Act kAct, bool kShort, typename Product>
class Pipeline {
 public:
  Pipeline(const LinearArgs& args, const Product& product, int steps, size_t panel_bytes)
      : args_(args), product_(product), steps_(steps), panel_bytes_(panel_bytes) {}

  void run() {
    alignas(64) float sums[2][kBlockRows * kBlockColumns];
    int turn = 0;
    for (int column = args_.column_begin; column < args_.column_end; column += kBlockColumns) {
      const std::byte* panel =
          args_.weight + static_cast<size_t>(column / kBlockColumns) * panel_bytes_;
      const int left = args_.column_end - column;
      for (int row = 0; row < args_.rows; row += kBlockRows, turn ^= 1) {
        const TileBlock block{row,
                              args_.rows - row < kBlockRows ? args_.rows - row : kBlockRows,
                              column,
                              left < kBlockColumns ? left : kBlockColumns,
                              args_.a + static_cast<size_t>(row / kTileRows) * args_.a_stride,
                              panel,
                              sums[turn]};
        if (block.rows > kTileRows) {
          multiply<2>(block);
        } else {
          multiply<1>(block);
        }
        pending_ = block;
        finished_ = 0;
      }
    }
    finish_rest();
  }

 private:
  /// Multiplies a block and finishes the one before.
  template <int kBlocks>
  void multiply(const TileBlock& block) {
    zero_sums<kBlocks>();
    const int rows = pending_.columns == kBlockColumns ? pending_.rows : 0;
    int due = 0;
    for (int s = 0; s < steps_; ++s) {
      product_.template step<kBlocks>(block, s);
      for (due += rows; due >= kFinishRows * steps_; due -= kFinishRows * steps_) {
        fetch_rows(block, finished_);
        finish_rows();
      }
    }
    finish_rest();
    store_sums<kBlocks>(block.sums);
  }

  /// Brings the result's lines of a block into the nearest cache before they are written. Asking
  /// for rows that it doesn't have does nothing.
  void fetch_rows(const TileBlock& b, int r) const {
    const float* out = args_.out + static_cast<size_t>(b.row + r) * args_.out_stride + b.column;
#pragma GCC unroll 4
    for (int i = 0; i < kFinishRows; ++i, out += args_.out_stride) {
      __builtin_prefetch(out, 1);
      __builtin_prefetch(out + 16, 1);
    }
  }
  [[gnu::always_inline]] void finish_rows() {
    F v[kFinishRows][2];
    product_.values(args_, pending_, finished_, v);
    write_rows<kAct, kShort>(args_, pending_, finished_, v);
    finished_ += kFinishRows;
  }
  [[gnu::noinline]] void finish_part() {
    F v[1][2];
    product_.values(args_, pending_, finished_, v);
    write_part<kAct, kShort>(args_, pending_, finished_++, v);
  }
  [[gnu::noinline]] void finish_rest() {
    if (pending_.columns == kBlockColumns) {
      while (finished_ + kFinishRows <= pending_.rows) finish_rows();
    }
    while (finished_ < pending_.rows) finish_part();
  }

  const LinearArgs args_;
  const Product product_;
  const int steps_;
  const size_t panel_bytes_;
  TileBlock pending_;  // multiplied
  int finished_ = 0;   // rows of it that are written
};

}  // namespace
}  // namespace embedforge::kernels
