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
  const float* biases = args.bias;  // copies, which stores to the result can't change
  const size_t out_stride = args.out_stride;
  const size_t add_stride = args.add_stride;
  for (int c = 0; c < b.columns; c += Simd::kWidth) {
    const int n = b.columns - c;
    const int column = b.column + c;
    const F bias = biases == nullptr   ? Simd::zero()
                   : n >= Simd::kWidth ? Simd::load(biases + column)
                                       : Simd::load_first(biases + column, n);
    float* out = args.out + static_cast<size_t>(b.row) * out_stride + column;
    const float* add =
        args.add == nullptr ? nullptr : args.add + static_cast<size_t>(b.row) * add_stride + column;
    for (int r = 0; r < b.rows; ++r, out += out_stride) {
      F v = Simd::add(value(r, c), bias);
      if (n >= Simd::kWidth) {
        if (add != nullptr) v = Simd::add(v, Simd::load(add));
        Simd::store(out, activate<kShort>(kAct, v));
      } else {
        if (add != nullptr) v = Simd::add(v, Simd::load_first(add, n));
        Simd::store_first(out, activate<kShort>(kAct, v), n);
      }
      if (add != nullptr) add += add_stride;
    }
  }
}

template <bool kShort, typename Value>
inline void finish(const LinearArgs& args, const Block& b, Value value) {
  with_act(args.act, [&](auto act) { finish_as<kShort, decltype(act)::value>(args, b, value); });
}

}  // namespace
}  // namespace embedforge::kernels
