#include "embedforge/vectors.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "arrays.h"
#include "bindings.h"

namespace embedforge::python {
namespace {

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a needs it

template <typename T>
nb::object byte_array(ByteMatrix matrix) {
  auto held = std::make_unique<ByteMatrix>(std::move(matrix));
  ByteMatrix* raw = held.get();
  const nb::capsule owner(raw, [](void* data) noexcept { delete static_cast<ByteMatrix*>(data); });
  static_cast<void>(held.release());  // the capsule owns it now
  return nb::cast(nb::ndarray<nb::numpy, T, nb::ndim<2>>(reinterpret_cast<T*>(raw->values.data()),
                                                         {raw->rows, raw->columns}, owner));
}

/// `ranges`: (2, d), the least and the greatest values; (0, 0) for none.
nb::object quantize(const FloatInput& vectors, const std::string& precision,
                    const FloatInput& ranges) {
  const VectorType type = vector_type_of(precision);
  const Matrix matrix = to_matrix(vectors);
  const Matrix rows = to_matrix(ranges);
  ByteMatrix bytes;
  {
    const nb::gil_scoped_release unlocked;
    if (rows.rows == 2) {
      const VectorRanges given{{rows.row(0).begin(), rows.row(0).end()},
                               {rows.row(1).begin(), rows.row(1).end()}};
      bytes = quantize_vectors(matrix, type, &given);
    } else {
      bytes = quantize_vectors(matrix, type);
    }
  }
  const bool is_signed = type == VectorType::kInt8 || type == VectorType::kBinary;
  return is_signed ? byte_array<int8_t>(std::move(bytes)) : byte_array<uint8_t>(std::move(bytes));
}

}  // namespace

void register_vectors(nb::module_& module) {
  module.def("quantize_vectors", quantize, "vectors"_a, "precision"_a, "ranges"_a);
}

}  // namespace embedforge::python
