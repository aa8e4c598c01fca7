// The loop that the AMX linear layers share: blocks of 32 rows x 32 columns. The vector units
// finish a block while the tile unit multiplies the next one: the finishing comes before the next
// products in the program, and both are in flight at once.
#pragma once

#include "kernels/amx/tiles.h"
#include "kernels/simd/math.h"

namespace embedforge::kernels {
namespace {

constexpr int kBlockColumns = 32;
constexpr int kBlockRows = 32;

/// out = act(value + add) for rows [0, rows) of a block; value(r, low, high) gives the two vectors
/// of row r.
template <Act kAct, bool kShort, bool kAdd, typename Value>
inline void write_whole(const LinearArgs& args, int row, int column, int rows, Value value) {
  float* out = args.out + static_cast<size_t>(row) * args.out_stride + column;
  const float* add =
      kAdd ? args.add + static_cast<size_t>(row) * args.add_stride + column : nullptr;
  for (int r = 0; r < rows; ++r, out += args.out_stride) {
    F low;
    F high;
    value(r, low, high);
    if constexpr (kAdd) {
      low = Simd::add(low, Simd::load(add));
      high = Simd::add(high, Simd::load(add + 16));
      add += args.add_stride;
    }
    Simd::store(out, activate<kShort>(kAct, low));
    Simd::store(out + 16, activate<kShort>(kAct, high));
  }
}

/// The same for the last columns of a matrix, fewer than 32.
template <Act kAct, bool kShort, typename Value>
inline void write_part(const LinearArgs& args, int row, int column, int rows, int columns,
                       Value value) {
  for (int r = 0; r < rows; ++r) {
    float* out = args.out + static_cast<size_t>(row + r) * args.out_stride + column;
    F vectors[2];
    value(r, vectors[0], vectors[1]);
    for (int v = 0; v * 16 < columns; ++v) {
      const int n = columns - v * 16;
      if (args.add != nullptr) {
        vectors[v] = Simd::add(
            vectors[v],
            Simd::load_first(
                args.add + static_cast<size_t>(row + r) * args.add_stride + column + v * 16, n));
      }
      Simd::store_first(out + v * 16, activate<kShort>(kAct, vectors[v]), n);
    }
  }
}

template <Act kAct, bool kShort, typename Value>
inline void write_block(const LinearArgs& args, int row, int column, int rows, int columns,
                        Value value) {
  if (columns < kBlockColumns) {
    write_part<kAct, kShort>(args, row, column, rows, columns, value);
  } else if (args.add != nullptr) {
    write_whole<kAct, kShort, true>(args, row, column, rows, value);
  } else {
    write_whole<kAct, kShort, false>(args, row, column, rows, value);
  }
}

/// The bias of 32 columns, zeros where there is none.
inline void load_bias(const LinearArgs& args, int column, int columns, F& low, F& high) {
  low = high = Simd::zero();
  if (args.bias == nullptr) return;
  low = Simd::load_first(args.bias + column, columns);
  if (columns > 16) high = Simd::load_first(args.bias + column + 16, columns - 16);
}

/// A block that has been multiplied and waits to be finished.
struct PendingBlock {
  int row = 0, rows = 0, column = 0, columns = 0;
  const std::byte* a = nullptr;      // its prepared rows
  const std::byte* panel = nullptr;  // its packed columns
  const void* sums = nullptr;        // [32][32]
};

/// product.multiply<blocks of 16 rows>(block, steps, sums) fills sums [32][32]; finish(pending)
/// writes them out.
template <typename Product, typename Finish>
inline void run_pipelined(const LinearArgs& args, int steps, size_t panel_bytes,
                          const Product& product, Finish finish) {
  alignas(64) float sums[2][kBlockRows * kBlockColumns];
  PendingBlock pending;
  int turn = 0;
  for (int column = args.column_begin; column < args.column_end; column += kBlockColumns) {
    const std::byte* panel =
        args.weight + static_cast<size_t>(column / kBlockColumns) * panel_bytes;
    const int left = args.column_end - column;
    for (int row = 0; row < args.rows; row += kBlockRows) {
      const PendingBlock block{row,
                               args.rows - row < kBlockRows ? args.rows - row : kBlockRows,
                               column,
                               left < kBlockColumns ? left : kBlockColumns,
                               args.a + static_cast<size_t>(row / kTileRows) * args.a_stride,
                               panel,
                               sums[turn]};
      if (pending.rows > 0) finish(pending);
      if (block.rows > kTileRows) {
        product.template multiply<2>(block, steps, sums[turn]);
      } else {
        product.template multiply<1>(block, steps, sums[turn]);
      }
      pending = block;
      turn ^= 1;
    }
  }
  if (pending.rows > 0) finish(pending);
}

}  // namespace
}  // namespace embedforge::kernels
