// Takes: matrices of the library. Gives: NumPy arrays of them, and back. Never: copies the values
// that it gives.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <memory>
#include <utility>

#include "embedforge/vectors.h"

namespace embedforge::python {

using FloatArray = nanobind::ndarray<nanobind::numpy, float, nanobind::ndim<2>>;
using FloatInput =
    nanobind::ndarray<const float, nanobind::ndim<2>, nanobind::c_contig, nanobind::device::cpu>;

/// The array owns the matrix.
inline FloatArray to_array(std::unique_ptr<Matrix> matrix) {
  Matrix* raw = matrix.get();
  const nanobind::capsule owner(raw,
                                [](void* data) noexcept { delete static_cast<Matrix*>(data); });
  static_cast<void>(matrix.release());  // the capsule owns it now
  return {raw->values.data(), {raw->rows, raw->columns}, owner};
}

inline Matrix to_matrix(const FloatInput& array) {
  return {array.shape(0), array.shape(1), {array.data(), array.data() + array.size()}};
}

}  // namespace embedforge::python
