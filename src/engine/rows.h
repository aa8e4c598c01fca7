// Rows of floats, as the values of a program are: a view of them, and rows with memory of their
// own.
#pragma once

#include <cstddef>

#include "engine/aligned.h"

namespace embedforge {

/// Rows of `width` floats, one after another, that belong to someone else.
struct Rows {
  float* data = nullptr;
  size_t count = 0, width = 0;

  float* row(size_t r) const { return data + r * width; }
  Rows part(size_t begin, size_t end) const { return {row(begin), end - begin, width}; }
  size_t size() const { return count * width; }
};

struct OwnedRows : Rows {
  OwnedRows(size_t rows, size_t columns) : buffer(rows * columns * sizeof(float)) {
    data = buffer.floats();
    count = rows;
    width = columns;
  }
  AlignedBuffer buffer;
};

/// The kernels count in int; what the engine runs fits.
constexpr int as_int(size_t count) { return static_cast<int>(count); }

}  // namespace embedforge
