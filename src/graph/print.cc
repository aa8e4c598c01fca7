#include "graph/print.h"

#include <fmt/format.h>

#include <algorithm>

#include "graph/tensor.h"

namespace embedforge {
namespace {

constexpr size_t kMostElements = 8;

std::string join(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string print_dims(const std::vector<int64_t>& dims) {
  return fmt::format("[{}]", fmt::join(dims, ", "));
}

std::string print_tensor(const Tensor& tensor) {
  std::string out = fmt::format("{} {}", data_type_name(tensor.type), print_dims(tensor.dims));
  const auto count = static_cast<size_t>(tensor.element_count());
  if (tensor.type == DataType::kString || count > kMostElements) return out;
  return out + fmt::format(" = {{{}}}", fmt::join(to_doubles(tensor), ", "));
}

struct AttributePrinter {
  std::string operator()(int64_t value) const { return std::to_string(value); }
  std::string operator()(float value) const { return fmt::format("{}", value); }
  std::string operator()(const std::string& value) const { return "\"" + value + "\""; }
  std::string operator()(const Tensor& value) const { return print_tensor(value); }
  std::string operator()(const std::vector<int64_t>& values) const { return print_dims(values); }
  std::string operator()(const std::vector<float>& values) const {
    return fmt::format("[{}]", fmt::join(values, ", "));
  }
  std::string operator()(const std::vector<std::string>& values) const {
    return "[" + join(values) + "]";
  }
  std::string operator()(const std::shared_ptr<Graph>& value) const {
    return fmt::format("graph of {} nodes", value->nodes.size());
  }
};

std::string print_node(const Node& node, const Graph& graph) {
  std::vector<std::string> outputs;
  for (const std::string& name : node.outputs) {
    const auto known = graph.values.find(name);
    outputs.push_back(known == graph.values.end() ? name : name + ": " + print(known->second));
  }
  std::string out = join(outputs) + " = " + (node.domain.empty() ? "" : node.domain + ".") +
                    node.op_type + "(" + join(node.inputs) + ")";
  std::vector<std::string> attributes;
  attributes.reserve(node.attributes.size());
  for (const auto& [key, value] : node.attributes) {
    attributes.push_back(key + "=" + std::visit(AttributePrinter(), value));
  }
  if (!attributes.empty()) out += " {" + join(attributes) + "}";
  return out;
}

}  // namespace

std::string print(const ValueInfo& value) {
  std::string out = data_type_name(value.type);
  if (!value.shape) return out + " of unknown rank";
  std::vector<std::string> dims;
  for (const Dim& dim : *value.shape) {
    const auto* size = std::get_if<int64_t>(&dim);
    const std::string name = size != nullptr ? std::to_string(*size) : std::get<std::string>(dim);
    dims.push_back(name.empty() ? "?" : name);
  }
  return out + " [" + join(dims) + "]";
}

std::string print(const Graph& graph) {
  std::string out = fmt::format("graph {} (IR {}", graph.name, graph.ir_version);
  for (const auto& [domain, version] : graph.opsets) {
    out += fmt::format(", {} {}", domain.empty() ? "ai.onnx" : domain, version);
  }
  out += ")\n";
  for (const ValueInfo& value : graph.inputs)
    out += "input " + value.name + ": " + print(value) + "\n";
  for (const auto& [name, tensor] : graph.initializers) {
    out += "initializer " + name + ": " + print_tensor(tensor) + "\n";
  }
  for (const Node& node : graph.nodes) out += print_node(node, graph) + "\n";
  for (const ValueInfo& value : graph.outputs) {
    out += "output " + value.name + ": " + print(value) + "\n";
  }
  return out;
}

}  // namespace embedforge
