// Takes: a Tensor of any numeric type. Gives: its elements widened to one C++ type. Never: changes
// the tensor.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "graph/graph.h"

namespace embedforge {

/// IEEE 754 binary16 and bfloat16, as their bits. Rounding is to nearest, ties to even.
float half_to_float(uint16_t bits);
uint16_t float_to_half(float value);
float bfloat16_to_float(uint16_t bits);
uint16_t float_to_bfloat16(float value);

bool is_float_type(DataType type);  // kFloat, kFloat16, kBfloat16, kDouble
bool is_known_type(int32_t type);   // a number that DataType lists, other than kUndefined

/// Elements of any numeric type (kBool gives 0 and 1). Error: kNotSupported for kString and
/// kUndefined.
std::vector<float> to_floats(const Tensor& tensor);
std::vector<double> to_doubles(const Tensor& tensor);
/// Elements of an integer or kBool tensor. Error: kNotSupported for other types.
std::vector<int64_t> to_ints(const Tensor& tensor);

/// Product of the sizes; nullopt when one is negative or the product passes 2^62.
std::optional<int64_t> checked_element_count(std::span<const int64_t> dims);

/// A tensor over bytes that `owner` keeps alive; copied first when they are not aligned for the
/// element type.
Tensor make_view(DataType type, std::vector<int64_t> dims, std::span<const std::byte> bytes,
                 std::shared_ptr<const void> owner);

}  // namespace embedforge
