#include "convert/dims.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "embedforge/error.h"

namespace embedforge {
namespace {

/// IEEE 754 binary16 -> binary32, exact.
float from_half(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000U) << 16U;
  const uint32_t exponent = (half >> 10U) & 0x1FU;
  uint32_t mantissa = half & 0x3FFU;
  if (exponent == 0x1FU) return std::bit_cast<float>(sign | 0x7F800000U | (mantissa << 13U));
  if (exponent != 0) {
    return std::bit_cast<float>(sign | ((exponent + 112U) << 23U) | (mantissa << 13U));
  }
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;  // subnormal or zero
  return sign != 0 ? -magnitude : magnitude;
}

float from_bfloat16(uint16_t value) {
  return std::bit_cast<float>(static_cast<uint32_t>(value) << 16U);
}

template <typename T, typename F>
std::vector<float> converted(const Tensor& tensor, F convert) {
  const std::span<const T> source = tensor.as<T>();
  std::vector<float> result(source.size());
  std::transform(source.begin(), source.end(), result.begin(), convert);
  return result;
}

size_t alignment_of(DataType type) { return std::max<size_t>(1, element_size(type)); }

}  // namespace

uint64_t checked_byte_count(const std::vector<int64_t>& dims, size_t element,
                            const std::string& where) {
  uint64_t count = element;
  for (const int64_t dim : dims) {
    if (dim < 0 || __builtin_mul_overflow(count, static_cast<uint64_t>(dim), &count)) {
      throw_bad_input(where + ": shape " + dims_text(dims) + " is too large");
    }
  }
  return count;
}

std::string dims_text(const std::vector<int64_t>& dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(dims[i]);
  return text + "]";
}

Tensor aligned(Tensor tensor) {
  const auto address = reinterpret_cast<uintptr_t>(tensor.bytes.data());
  if (address % alignment_of(tensor.type) == 0) return tensor;
  auto copy = std::make_shared<const std::vector<std::byte>>(tensor.bytes.begin(),
                                                             tensor.bytes.end());
  tensor.bytes = *copy;
  tensor.owner = std::move(copy);
  return tensor;
}

Tensor to_float32(const Tensor& tensor, const std::string& name) {
  switch (tensor.type) {
    case DataType::kFloat:
      return tensor;
    case DataType::kFloat16:
      return Tensor::from_floats(tensor.dims, converted<uint16_t>(tensor, from_half));
    case DataType::kBfloat16:
      return Tensor::from_floats(tensor.dims, converted<uint16_t>(tensor, from_bfloat16));
    case DataType::kDouble:
      return Tensor::from_floats(tensor.dims, converted<double>(tensor, [](double value) {
                                   return static_cast<float>(value);
                                 }));
    default:
      throw_not_supported("tensor \"" + name + "\" is " + data_type_name(tensor.type) +
                          "; weights must be float32, float16, bfloat16 or float64");
  }
}

Tensor transposed(const Tensor& tensor) {
  const size_t rows = static_cast<size_t>(tensor.dims[0]);
  const size_t columns = static_cast<size_t>(tensor.dims[1]);
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

Tensor scaled(const Tensor& tensor, float factor) {
  return Tensor::from_floats(
      tensor.dims, converted<float>(tensor, [factor](float value) { return value * factor; }));
}

}  // namespace embedforge
