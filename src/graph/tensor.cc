#include "graph/tensor.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "embedforge/error.h"

namespace embedforge {
namespace {

template <typename To, typename From>
std::vector<To> widen(const Tensor& tensor) {
  const std::span<const From> values = tensor.as<From>();
  return std::vector<To>(values.begin(), values.end());
}

template <typename To>
std::vector<To> widen_16(const Tensor& tensor, float (*decode)(uint16_t)) {
  const std::span<const uint16_t> values = tensor.as<uint16_t>();
  std::vector<To> out(values.size());
  for (size_t i = 0; i < values.size(); ++i) out[i] = static_cast<To>(decode(values[i]));
  return out;
}

template <typename To>
std::vector<To> widen_integers(const Tensor& tensor) {
  switch (tensor.type) {
    case DataType::kBool:
    case DataType::kUint8:
      return widen<To, uint8_t>(tensor);
    case DataType::kInt8:
      return widen<To, int8_t>(tensor);
    case DataType::kUint16:
      return widen<To, uint16_t>(tensor);
    case DataType::kInt16:
      return widen<To, int16_t>(tensor);
    case DataType::kInt32:
      return widen<To, int32_t>(tensor);
    case DataType::kInt64:
      return widen<To, int64_t>(tensor);
    case DataType::kUint32:
      return widen<To, uint32_t>(tensor);
    case DataType::kUint64:
      return widen<To, uint64_t>(tensor);
    default:
      throw_not_supported(std::string("a tensor of type ") + data_type_name(tensor.type) +
                          " where numbers of another type are needed");
  }
}

template <typename To>
std::vector<To> widen_numbers(const Tensor& tensor) {
  switch (tensor.type) {
    case DataType::kFloat:
      return widen<To, float>(tensor);
    case DataType::kDouble:
      return widen<To, double>(tensor);
    case DataType::kFloat16:
      return widen_16<To>(tensor, half_to_float);
    case DataType::kBfloat16:
      return widen_16<To>(tensor, bfloat16_to_float);
    default:
      return widen_integers<To>(tensor);
  }
}

}  // namespace

size_t element_size(DataType type) {
  switch (type) {
    case DataType::kUint8:
    case DataType::kInt8:
    case DataType::kBool:
      return 1;
    case DataType::kUint16:
    case DataType::kInt16:
    case DataType::kFloat16:
    case DataType::kBfloat16:
      return 2;
    case DataType::kFloat:
    case DataType::kInt32:
    case DataType::kUint32:
      return 4;
    case DataType::kInt64:
    case DataType::kDouble:
    case DataType::kUint64:
      return 8;
    case DataType::kUndefined:
    case DataType::kString:
      break;
  }
  return 0;
}

const char* data_type_name(DataType type) {
  switch (type) {
    case DataType::kFloat:
      return "float32";
    case DataType::kUint8:
      return "uint8";
    case DataType::kInt8:
      return "int8";
    case DataType::kUint16:
      return "uint16";
    case DataType::kInt16:
      return "int16";
    case DataType::kInt32:
      return "int32";
    case DataType::kInt64:
      return "int64";
    case DataType::kString:
      return "string";
    case DataType::kBool:
      return "bool";
    case DataType::kFloat16:
      return "float16";
    case DataType::kDouble:
      return "float64";
    case DataType::kUint32:
      return "uint32";
    case DataType::kUint64:
      return "uint64";
    case DataType::kBfloat16:
      return "bfloat16";
    case DataType::kUndefined:
      break;
  }
  return "undefined";
}

bool is_float_type(DataType type) {
  return type == DataType::kFloat || type == DataType::kFloat16 || type == DataType::kBfloat16 ||
         type == DataType::kDouble;
}

bool is_known_type(int32_t type) { return (type >= 1 && type <= 13) || type == 16; }

int64_t Tensor::element_count() const {
  int64_t count = 1;
  for (const int64_t dim : dims) count *= dim;
  return count;
}

Tensor Tensor::from_floats(std::vector<int64_t> dims, std::vector<float> values) {
  return from(DataType::kFloat, std::move(dims), std::move(values));
}

Tensor Tensor::from_ints(std::vector<int64_t> dims, std::vector<int64_t> values) {
  return from(DataType::kInt64, std::move(dims), std::move(values));
}

int64_t Node::int_attribute(const std::string& key, int64_t otherwise) const {
  const auto found = attributes.find(key);
  if (found == attributes.end()) return otherwise;
  const auto* value = std::get_if<int64_t>(&found->second);
  return value != nullptr ? *value : otherwise;
}

float Node::float_attribute(const std::string& key, float otherwise) const {
  const auto found = attributes.find(key);
  if (found == attributes.end()) return otherwise;
  const auto* value = std::get_if<float>(&found->second);
  return value != nullptr ? *value : otherwise;
}

const std::vector<int64_t>* Node::ints_attribute(const std::string& key) const {
  const auto found = attributes.find(key);
  return found == attributes.end() ? nullptr : std::get_if<std::vector<int64_t>>(&found->second);
}

float half_to_float(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000U) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1FU;
  const uint32_t fraction = bits & 0x3FFU;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000U | (fraction << 13));
  if (exponent != 0)
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
  const float magnitude = std::ldexp(static_cast<float>(fraction), -24);
  return sign != 0 ? -magnitude : magnitude;
}

uint16_t float_to_half(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000U;
  const uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return static_cast<uint16_t>(sign | 0x7E00U);
  if (magnitude >= 0x477FF000U) return static_cast<uint16_t>(sign | 0x7C00U);  // rounds past 65504
  if (magnitude < 0x38800000U) {  // below 2^-14: a multiple of 2^-24
    const float scaled = std::ldexp(std::bit_cast<float>(magnitude), 24);
    return static_cast<uint16_t>(sign | static_cast<uint32_t>(std::nearbyint(scaled)));
  }
  const uint32_t rounded = magnitude + 0xFFFU + ((magnitude >> 13) & 1U);
  return static_cast<uint16_t>(sign | ((rounded - 0x38000000U) >> 13));
}

float bfloat16_to_float(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

uint16_t float_to_bfloat16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<uint16_t>((bits >> 16) | 0x40U);
  return static_cast<uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

std::vector<float> to_floats(const Tensor& tensor) { return widen_numbers<float>(tensor); }
std::vector<double> to_doubles(const Tensor& tensor) { return widen_numbers<double>(tensor); }
std::vector<int64_t> to_ints(const Tensor& tensor) { return widen_integers<int64_t>(tensor); }

std::optional<int64_t> checked_element_count(std::span<const int64_t> dims) {
  constexpr int64_t kMost = int64_t{1} << 62;
  int64_t count = 1;
  bool overflow = false;
  for (const int64_t dim : dims) {
    if (dim < 0) return std::nullopt;
    if (dim == 0) return 0;
    if (count > kMost / dim) {
      overflow = true;  // a later 0 would still make it empty
    } else {
      count *= dim;
    }
  }
  if (overflow) return std::nullopt;
  return count;
}

Tensor make_view(DataType type, std::vector<int64_t> dims, std::span<const std::byte> bytes,
                 std::shared_ptr<const void> owner) {
  const size_t size = element_size(type);
  const bool misaligned = size > 1 && reinterpret_cast<uintptr_t>(bytes.data()) % size != 0;
  if (misaligned && !bytes.empty()) {
    // uint64_t elements give the copy the alignment that every element type needs.
    auto buffer = std::make_shared<std::vector<uint64_t>>((bytes.size() + 7) / 8);
    std::memcpy(buffer->data(), bytes.data(), bytes.size());
    bytes = std::as_bytes(std::span<const uint64_t>(*buffer)).first(bytes.size());
    owner = std::move(buffer);
  }
  return {type, std::move(dims), bytes, std::move(owner)};
}

}  // namespace embedforge
