#include "graph/infer_shapes.h"

#include <map>
#include <string>

#include "embedforge/error.h"
#include "graph/shape_rules.h"
#include "graph/tensor.h"

namespace embedforge {
namespace {

constexpr size_t kChoices = 2;
constexpr int64_t kSmallConstant = 1 << 16;

/// Sizes for the named dimensions: different from each other, and in the two choices.
class Sizes {
 public:
  int64_t of(const std::string& name, size_t choice) {
    const auto index = static_cast<int64_t>(order_.emplace(name, order_.size()).first->second);
    return choice == 0 ? 2 + index : 40 + 3 * index;
  }
  /// The dimension with these sizes; "" for none.
  std::string name_of(int64_t first, int64_t second) const {
    for (const auto& [name, index] : order_) {
      const auto i = static_cast<int64_t>(index);
      if (first == 2 + i && second == 40 + 3 * i) return name;
    }
    return "";
  }

 private:
  std::map<std::string, size_t> order_;
};

ValueInfo describe_value(const std::string& name, const Shadow& first, const Shadow& second,
                         const Sizes& sizes) {
  ValueInfo out{name, first.type, std::vector<Dim>{}};
  for (size_t i = 0; i < first.dims.size(); ++i) {
    if (first.dims[i] == second.dims[i]) {
      out.shape->emplace_back(first.dims[i]);
      continue;
    }
    std::string dim = sizes.name_of(first.dims[i], second.dims[i]);
    if (dim.starts_with(' ')) dim.clear();
    out.shape->emplace_back(std::move(dim));
  }
  return out;
}

}  // namespace

std::map<std::string, Shadow> follow_shapes(const Graph& graph, const DimsOf& dims_of) {
  std::map<std::string, Shadow> values;
  for (const auto& [name, tensor] : graph.initializers) {
    Shadow value{tensor.type, tensor.dims, std::nullopt};
    if (tensor.element_count() <= kSmallConstant) value.content = tensor;
    values.emplace(name, std::move(value));
  }
  for (const ValueInfo& input : graph.inputs) {
    if (auto dims = dims_of(input)) values.emplace(input.name, Shadow{input.type, *dims, {}});
  }
  const auto standard = graph.opsets.find("");
  const int64_t opset = standard == graph.opsets.end() ? 1 : standard->second;
  for (const Node& node : graph.nodes) {
    Shadows inputs;
    for (const std::string& name : node.inputs) {
      const auto found = values.find(name);
      inputs.push_back(found == values.end() ? std::nullopt : std::optional(found->second));
    }
    Shadows outputs;
    try {
      outputs = infer_node(node, inputs, opset);
    } catch (const Error&) {
      continue;  // these sizes don't suit the graph, which says nothing about others
    }
    for (size_t i = 0; i < node.outputs.size() && i < outputs.size(); ++i) {
      if (!outputs[i] || node.outputs[i].empty()) continue;
      values.insert_or_assign(node.outputs[i], std::move(*outputs[i]));
    }
  }
  return values;
}

void infer_shapes(Graph& graph) {
  Sizes sizes;
  std::vector<std::map<std::string, Shadow>> choices;
  choices.reserve(kChoices);
  for (size_t choice = 0; choice < kChoices; ++choice) {
    choices.push_back(
        follow_shapes(graph, [&](const ValueInfo& input) -> std::optional<std::vector<int64_t>> {
          if (!input.shape || input.type == DataType::kUndefined) return std::nullopt;
          std::vector<int64_t> dims;
          for (const Dim& dim : *input.shape) {
            const auto* fixed = std::get_if<int64_t>(&dim);
            const std::string* name = std::get_if<std::string>(&dim);
            // A dimension without a name is one of its own, and stays without.
            const std::string key = name != nullptr && !name->empty()
                                        ? *name
                                        : " " + input.name + std::to_string(dims.size());
            dims.push_back(fixed != nullptr ? *fixed : sizes.of(key, choice));
          }
          return dims;
        }));
  }
  const auto infer = [&](const std::string& name) -> std::optional<ValueInfo> {
    const auto first = choices[0].find(name);
    const auto second = choices[1].find(name);
    if (first == choices[0].end() || second == choices[1].end()) return std::nullopt;
    if (first->second.dims.size() != second->second.dims.size()) return std::nullopt;
    return describe_value(name, first->second, second->second, sizes);
  };
  std::map<std::string, bool> is_output;
  for (ValueInfo& output : graph.outputs) {
    is_output[output.name] = true;
    const auto value = infer(output.name);
    if (!value) continue;
    if (output.type == DataType::kUndefined) output.type = value->type;
    if (!output.shape) output.shape = value->shape;
  }
  for (const Node& node : graph.nodes) {
    for (const std::string& name : node.outputs) {
      if (name.empty() || is_output.contains(name)) continue;
      if (auto value = infer(name)) graph.values.insert_or_assign(name, std::move(*value));
    }
  }
}

}  // namespace embedforge
