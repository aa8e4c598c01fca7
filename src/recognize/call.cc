#include "recognize/call.h"

#include <algorithm>

#include "embedforge/error.h"
#include "graph/evaluate.h"
#include "graph/order_nodes.h"
#include "graph/tensor.h"

namespace embedforge::recognize {
const Viewed* Call::viewed(size_t i) const {
  return has(i) ? std::get_if<Viewed>(inputs_[i]) : nullptr;
}
const Known* Call::known(size_t i) const {
  return has(i) ? std::get_if<Known>(inputs_[i]) : nullptr;
}
const Constant* Call::constant(size_t i) const {
  return has(i) ? std::get_if<Constant>(inputs_[i]) : nullptr;
}

const Viewed& Call::need_viewed(size_t i) const {
  if (const Viewed* out = viewed(i)) return *out;
  refuse("has an input " + std::to_string(i) + " that doesn't come from the tokens");
}

const Constant& Call::need_constant(size_t i) const {
  if (const Constant* out = constant(i)) return *out;
  refuse("has an input " + std::to_string(i) + " that is not constant");
}

std::optional<Known> Call::known_or_constant(size_t i) const {
  if (const Known* out = known(i)) return *out;
  const Constant* value = constant(i);
  if (value == nullptr) return std::nullopt;
  return Known{std::vector<Tensor>(probes().size(), plain(*value))};
}

std::optional<Tensor> Call::fixed(size_t i) const {
  if (const Constant* value = constant(i)) return plain(*value);
  const Known* value = known(i);
  if (value == nullptr) return std::nullopt;
  const Tensor& first = value->at[0];
  const bool same = std::ranges::all_of(value->at, [&](const Tensor& each) {
    return each.type == first.type && each.dims == first.dims &&
           std::ranges::equal(each.bytes, first.bytes);
  });
  return same ? std::optional(first) : std::nullopt;
}

std::optional<std::vector<float>> Call::floats(size_t i) const {
  const auto value = fixed(i);
  return value ? std::optional(to_floats(*value)) : std::nullopt;
}

std::optional<std::vector<int64_t>> Call::ints(size_t i) const {
  const auto value = fixed(i);
  return value && !is_float_type(value->type) ? std::optional(to_ints(*value)) : std::nullopt;
}

std::optional<double> Call::scalar(size_t i) const {
  const Constant* large = constant(i);
  if (large != nullptr && large->tensor.element_count() != 1) return std::nullopt;
  const auto value = fixed(i);
  return value && value->element_count() == 1 ? std::optional(to_doubles(*value)[0]) : std::nullopt;
}

std::optional<std::vector<int64_t>> Call::ints_or_attribute(size_t i,
                                                            const std::string& key) const {
  if (has(i)) return ints(i);
  const auto* values = node_.ints_attribute(key);
  if (values == nullptr) return std::nullopt;
  return *values;
}

size_t Call::axis(int64_t axis, size_t rank) const {
  const auto n = static_cast<int64_t>(rank);
  if (axis < -n || axis >= n)
    refuse("has axis " + std::to_string(axis) + " of rank " + std::to_string(n));
  return static_cast<size_t>(axis < 0 ? axis + n : axis);
}

void Call::refuse(const std::string& why) const {
  throw_not_supported(describe(node_) + " " + why);
}

Tensor plain(const Constant& constant) {
  Tensor out = constant.tensor;
  if (!constant.scales.empty()) {
    const Node node{
        "", "DequantizeLinear", "", {}, {}, {{"axis", static_cast<int64_t>(constant.axis)}}};
    const bool scalar = constant.scales.size() == 1;
    std::vector<int64_t> dims;
    if (!scalar) dims = {static_cast<int64_t>(constant.scales.size())};
    const Tensor scale = Tensor::from_floats(dims, constant.scales);
    const Tensor zero = Tensor::from(DataType::kInt32, dims, constant.zero_points);
    const std::vector<const Tensor*> inputs = {&out, &scale, &zero};
    out = evaluate(node, inputs, 13)[0];
  }
  if (constant.transposed) {
    const Node node{"", "Transpose", "", {}, {}, {}};
    const std::vector<const Tensor*> inputs = {&out};
    out = evaluate(node, inputs, 13)[0];
  }
  return out;
}

std::vector<float> constant_floats(const Constant& constant) { return to_floats(plain(constant)); }

}  // namespace embedforge::recognize
