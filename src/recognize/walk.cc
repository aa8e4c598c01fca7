#include "recognize/call.h"

#include <algorithm>
#include <set>

#include "embedforge/error.h"
#include "graph/evaluate.h"
#include "graph/order_nodes.h"
#include "graph/tensor.h"

namespace embedforge::recognize {
namespace {

bool same_tensor(const Tensor& a, const Tensor& b) {
  return a.type == b.type && a.dims == b.dims && std::ranges::equal(a.bytes, b.bytes);
}

Handler find_handler(const Node& node) {
  for (const auto search : {find_layout, find_elementwise, find_norm, find_linear, find_embedding,
                            find_attention, find_quantized, find_fused, find_pooling}) {
    if (const Handler handler = search(node)) return handler;
  }
  return nullptr;
}

class Walk {
 public:
  Walk(const Graph& graph, const std::vector<Probe>& probes) : graph_(graph), probes_(probes) {
    const auto standard = graph.opsets.find("");
    opset_ = standard == graph.opsets.end() ? 1 : standard->second;
    for (const auto& [name, tensor] : graph.initializers) {
      Constant constant;
      constant.tensor = tensor;
      constant.name = name;
      forms_.emplace(name, std::move(constant));
    }
    for (const ValueInfo& input : graph.inputs) {
      has_mask_ = has_mask_ || input_role(input.name) == InputRole::kMask;
    }
    for (const ValueInfo& input : graph.inputs) forms_.emplace(input.name, input_form(input));
    for (const Node& node : graph.nodes) {
      for_each_use(node, [&](const std::string& name) { ++uses_[name]; });
    }
    for (const ValueInfo& output : graph.outputs) ++uses_[output.name];
  }

  std::map<std::string, Form> run() {
    for (const Node& node : graph_.nodes) {
      Forms made = visit(node);
      for (size_t i = 0; i < node.outputs.size(); ++i) {
        if (node.outputs[i].empty()) continue;
        Form form = i < made.size() ? std::move(made[i])
                                    : Form(Unknown{describe(node) + ": its output " +
                                                   std::to_string(i) + " is not supported"});
        forms_.insert_or_assign(node.outputs[i], std::move(form));
      }
      for_each_use(node, [&](const std::string& name) {  // probes' values can be large
        if (--uses_[name] == 0) forms_.erase(name);
      });
    }
    std::map<std::string, Form> out;
    for (const ValueInfo& output : graph_.outputs) out.emplace(output.name, forms_.at(output.name));
    return out;
  }

 private:
  Form input_form(const ValueInfo& input) const {
    const auto role = input_role(input.name);
    if (!role) return Unknown{"graph input '" + input.name + "' is none that a text encoder takes"};
    if (input.type != DataType::kInt64 && input.type != DataType::kInt32) {
      return Unknown{"graph input '" + input.name + "' is " + data_type_name(input.type) +
                     ", int64 is supported"};
    }
    for (const Dim& dim : input.shape.value_or(std::vector<Dim>{})) {
      if (const auto* size = std::get_if<int64_t>(&dim)) {
        return Unknown{"graph input '" + input.name + "' has the fixed size " +
                       std::to_string(*size) + "; export with dynamic axes"};
      }
    }
    return probe_input(*role, input.type, probes_);
  }

  Forms visit(const Node& node) {
    try {
      return understand(node);
    } catch (const Error& error) {
      const Unknown unknown{error.what(), error.code() == ErrorCode::kBadInput};
      return Forms(node.outputs.size(), unknown);
    }
  }

  Forms understand(const Node& node) {
    std::vector<const Form*> inputs;
    bool all_constant = true;
    bool all_known = true;
    for (const std::string& name : node.inputs) {
      const Form* form = nullptr;
      if (!name.empty()) {
        const auto found = forms_.find(name);
        if (found == forms_.end()) throw_bad_input(describe(node) + " needs '" + name + "'");
        form = &found->second;
        if (const auto* unknown = std::get_if<Unknown>(form)) {
          return Forms(node.outputs.size(), *unknown);
        }
        const bool constant = std::holds_alternative<Constant>(*form);
        all_constant = all_constant && constant;
        all_known = all_known && (constant || std::holds_alternative<Known>(*form));
      }
      inputs.push_back(form);
    }
    const Call call(node, std::move(inputs), probes_, masks_, opset_, has_mask_);
    if (const Handler handler = find_handler(node)) {
      Forms forms = handler(call);  // nothing: it is for the cases below
      if (!forms.empty()) return forms;
    }
    if (all_known && can_evaluate(node)) {
      return all_constant ? evaluate_constants(node, call) : evaluate_probes(node, call);
    }
    call.refuse(all_known || find_handler(node) == nullptr
                    ? "is an operator that the native engine doesn't have"
                    : "doesn't fit any part of an encoder");
  }

  Forms evaluate_constants(const Node& node, const Call& call) const {
    std::vector<Tensor> tensors(node.inputs.size());
    std::vector<const Tensor*> inputs(node.inputs.size(), nullptr);
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (!call.has(i)) continue;
      tensors[i] = plain(*call.constant(i));
      inputs[i] = &tensors[i];
    }
    Forms out;
    for (Tensor& tensor : evaluate(node, inputs, opset_)) {
      Constant constant;
      constant.tensor = std::move(tensor);
      constant.name = node.outputs.at(out.size());
      out.emplace_back(std::move(constant));
    }
    return out;
  }

  Forms evaluate_probes(const Node& node, const Call& call) const {
    std::vector<Known> out(node.outputs.size());
    for (size_t p = 0; p < probes_.size(); ++p) {
      std::vector<Tensor> tensors(node.inputs.size());
      std::vector<const Tensor*> inputs(node.inputs.size(), nullptr);
      for (size_t i = 0; i < tensors.size(); ++i) {
        if (!call.has(i)) continue;
        const Known* known = call.known(i);
        tensors[i] = known != nullptr ? known->at[p] : plain(*call.constant(i));
        inputs[i] = &tensors[i];
      }
      std::vector<Tensor> made = evaluate(node, inputs, opset_);
      for (size_t i = 0; i < out.size() && i < made.size(); ++i) {
        out[i].at.push_back(std::move(made[i]));
      }
    }
    Forms forms;
    for (Known& known : out) {
      if (known.at.size() == probes_.size()) forms.emplace_back(std::move(known));
    }
    return forms;
  }

  const Graph& graph_;
  const std::vector<Probe>& probes_;
  MaskEffects masks_;
  int64_t opset_ = 1;
  bool has_mask_ = false;
  std::map<std::string, Form> forms_;
  std::map<std::string, int> uses_;
};

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

Viewed without_rounding(const Viewed& value) {
  if (const auto* rounded = value.of->get<Rounded>()) return {rounded->in, value.view};
  return value;
}

std::map<std::string, Form> trace(const Graph& graph, const std::vector<Probe>& probes) {
  return Walk(graph, probes).run();
}

}  // namespace embedforge::recognize
