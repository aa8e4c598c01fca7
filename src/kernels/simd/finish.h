// The end of a linear layer on a block of sums: out = act(value + bias + add). Include after a
// simd.h.
#pragma once

#include "kernels/simd/math.h"

namespace embedforge::kernels {
namespace {

/// Where a block of sums belongs in the result: rows [row, row + rows), columns [column, column +
/// columns).
struct Block {
  int row, rows, column, columns;
};

/// `value(r, c)` gives the vector of finished sums at row r and column c of the block (c a multiple
/// of the width).
template <bool kShort, Act kAct, typename Value>
inline void finish_as(const LinearArgs& args, const Block& b, Value value) {
  for (int c = 0; c < b.columns; c += Simd::kWidth) {
    const int n = b.columns - c;
    const int column = b.column + c;
    const F bias = args.bias == nullptr ? Simd::zero()
                   : n >= Simd::kWidth  ? Simd::load(args.bias + column)
                                        : Simd::load_first(args.bias + column, n);
    for (int r = 0; r < b.rows; ++r) {
      const size_t row = static_cast<size_t>(b.row + r);
      F v = Simd::add(value(r, c), bias);
      float* out = args.out + row * args.out_stride + column;
      if (n >= Simd::kWidth) {
        if (args.add != nullptr)
          v = Simd::add(v, Simd::load(args.add + row * args.add_stride + column));
        Simd::store(out, activate<kShort>(kAct, v));
      } else {
        if (args.add != nullptr) {
          v = Simd::add(v, Simd::load_first(args.add + row * args.add_stride + column, n));
        }
        Simd::store_first(out, activate<kShort>(kAct, v), n);
      }
    }
  }
}

template <bool kShort, typename Value>
inline void finish(const LinearArgs& args, const Block& b, Value value) {
  with_act(args.act, [&](auto act) { finish_as<kShort, decltype(act)::value>(args, b, value); });
}

}  // namespace
}  // namespace embedforge::kernels
