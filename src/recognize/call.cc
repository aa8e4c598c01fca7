#include "recognize/call.h"

#include "embedforge/error.h"
#include "graph/evaluate.h"
#include "graph/order_nodes.h"
#include "graph/tensor.h"

namespace embedforge::recognize {
namespace {

bool same_tensor(const Tensor& a, const Tensor& b) {
  return a.type == b.type && a.dims == b.dims && std::ranges::equal(a.bytes, b.bytes);
}

}  // namespace

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
  return Known{std::vector<Tensor>(probes_.size(), plain(*value))};
}

std::optional<std::vector<float>> Call::floats(size_t i) const {
  if (const Constant* value = constant(i)) return constant_floats(*value);
  const Known* value = known(i);
  if (value == nullptr) return std::nullopt;
  for (const Tensor& tensor : value->at) {
    if (!same_tensor(tensor, value->at[0])) return std::nullopt;
  }
  return to_floats(value->at[0]);
}

std::optional<std::vector<int64_t>> Call::ints(size_t i) const {
  const auto* value = constant(i);
  if (value != nullptr && !is_float_type(value->tensor.type)) return to_ints(plain(*value));
  const Known* known_value = known(i);
  if (known_value == nullptr || is_float_type(known_value->at[0].type)) return std::nullopt;
  for (const Tensor& tensor : known_value->at) {
    if (!same_tensor(tensor, known_value->at[0])) return std::nullopt;
  }
  return to_ints(known_value->at[0]);
}

std::optional<double> Call::scalar(size_t i) const {
  if (const Constant* value = constant(i)) {
    if (value->tensor.element_count() != 1) return std::nullopt;
    return to_doubles(plain(*value))[0];
  }
  const Known* value = known(i);
  if (value == nullptr || value->at[0].element_count() != 1 || !floats(i)) return std::nullopt;
  return to_doubles(value->at[0])[0];
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
