#include "checkpoint/weights.h"

#include <algorithm>
#include <utility>

#include "embedforge/error.h"
#include "graph/tensor.h"

namespace embedforge {

uint64_t checked_byte_count(const std::vector<int64_t>& dims, size_t element,
                            const std::string& where) {
  const auto count = checked_element_count(dims);
  uint64_t bytes = 0;
  if (!count || __builtin_mul_overflow(static_cast<uint64_t>(*count), element, &bytes)) {
    throw_bad_input(where + ": shape " + dims_text(dims) + " is too large");
  }
  return bytes;
}

std::string dims_text(const std::vector<int64_t>& dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(dims[i]);
  return text + "]";
}

Tensor to_float32(const Tensor& tensor, const std::string& name) {
  if (tensor.type == DataType::kFloat) return tensor;
  if (!is_float_type(tensor.type)) {
    throw_not_supported("tensor \"" + name + "\" is " + data_type_name(tensor.type) +
                        "; weights must be float32, float16, bfloat16 or float64");
  }
  return Tensor::from_floats(tensor.dims, to_floats(tensor));
}

Tensor transposed(const Tensor& tensor) {
  const auto rows = static_cast<size_t>(tensor.dims[0]);
  const auto columns = static_cast<size_t>(tensor.dims[1]);
  const std::span<const float> source = tensor.as<float>();
  std::vector<float> result(source.size());
  constexpr size_t kBlock = 32;  // both sides of a block fit the first-level cache
  for (size_t row = 0; row < rows; row += kBlock) {
    for (size_t column = 0; column < columns; column += kBlock) {
      for (size_t i = row; i < std::min(rows, row + kBlock); ++i) {
        for (size_t j = column; j < std::min(columns, column + kBlock); ++j) {
          result[j * rows + i] = source[i * columns + j];
        }
      }
    }
  }
  return Tensor::from_floats({tensor.dims[1], tensor.dims[0]}, std::move(result));
}

Tensor scaled(const Tensor& tensor, float factor, float offset) {
  const std::span<const float> source = tensor.as<float>();
  std::vector<float> result(source.size());
  std::transform(source.begin(), source.end(), result.begin(),
                 [=](float value) { return value * factor + offset; });
  return Tensor::from_floats(tensor.dims, std::move(result));
}

}  // namespace embedforge
