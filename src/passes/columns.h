// Takes: constant matrices. Gives: some of their columns, side by side. Never: copies when one
// whole matrix is asked for.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/graph.h"

namespace embedforge::passes {

/// Columns [first, first + count) of a matrix [rows, ..] or a row [..]; without a tensor, zeros.
struct Columns {
  const Tensor* tensor = nullptr;
  int64_t first = 0;
  int64_t count = 0;
};

/// All of equal element type and rows; `dims` without the last size is the result's.
Tensor side_by_side(std::span<const Columns> parts, DataType type, std::vector<int64_t> dims);

}  // namespace embedforge::passes
