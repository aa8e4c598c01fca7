// Takes: the constant matrix of a product, as a file stores it. Gives: its values. Never: is the
// only copy of them; a file's bytes stay where they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "graph/graph.h"

namespace embedforge {

/// How activations that enter a quantized product become integers.
struct ActivationQuant {
  bool dynamic = true;  // scale and zero point from each token's own range
  float scale = 0;      // static: real = scale * (q - zero_point), q in 0..255
  int32_t zero_point = 0;
  /// By input channel: what an activation is multiplied by before it becomes an integer (the
  /// weight's rows are divided by it already); 0 for float_channels. Empty: 1 for all.
  std::vector<float> channel_scale;
  bool operator==(const ActivationQuant&) const = default;
};

/// The formats of a weight's values, which are stored [k, n], or [n, k] where it is transposed.
struct FloatFormat {
  Tensor data;  // kFloat, kFloat16 or kBfloat16
};
/// w(k, n) = scales[n] * (q - zero_points[n]), but for the float channels.
struct Int8Format {
  Tensor data;                                // kInt8 or kUint8
  std::vector<float> scales;                  // n values (a per-tensor scale is repeated)
  std::vector<int32_t> zero_points;           // n values, or none
  std::optional<ActivationQuant> activation;  // set when the file's product is an integer one
  /// Outlier channels of an integer product, whose activations stay float:
  /// y[n] += sum_j x[float_channels[j]] * float_rows[j * n_count + n].
  std::vector<int32_t> float_channels;
  std::vector<float> float_rows;

  int32_t zero_point(size_t column) const { return zero_points.empty() ? 0 : zero_points[column]; }
};

/// The matrix of a Linear step: y[n] = sum_k x[k] * w(k, n).
struct Weight {
  int64_t k = 0;  // input width
  int64_t n = 0;  // output width
  bool transposed = false;
  std::variant<FloatFormat, Int8Format> format;
  std::string name;  // of the initializer, for messages
  /// Where several products became one: their weights, whose columns lie side by side in this one.
  /// Only they have bytes then.
  std::vector<Weight> parts;

  const Tensor& data() const {
    return std::visit([](const auto& f) -> const Tensor& { return f.data; }, format);
  }
  /// nullptr for another format.
  Int8Format* int8() { return std::get_if<Int8Format>(&format); }
  const Int8Format* int8() const { return std::get_if<Int8Format>(&format); }
  /// The same, when the file's product is an integer one whose numbers fit int8 without their zero
  /// points.
  const Int8Format* integer_product() const;
};

/// A float matrix [k, n] as a weight.
Weight float_weight(std::vector<float> values, size_t k, size_t n);

/// Rows [k_begin, k_begin + k_count) of what the inputs are multiplied by, [k_count, n]: integers
/// times their scales, float channels in their places. Errors: kBadInput, naming the weight, for a
/// value that is not finite.
std::vector<float> to_floats(const Weight& weight, size_t k_begin, size_t k_count);
std::vector<float> to_floats(const Weight& weight);

/// The same rows of a weight's integers, less their zero points. Only where fits_int8().
std::vector<int8_t> to_integers(const Weight& weight, size_t k_begin, size_t k_count);
bool fits_int8(const Weight& weight);

}  // namespace embedforge
