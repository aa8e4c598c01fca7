// Nodes with equal operator, attributes and inputs, and small equal constants, are kept once.
#include <set>
#include <sstream>

#include "passes/editor.h"
#include "passes/passes.h"

namespace embedforge::passes {
namespace {

constexpr size_t kSmallBytes = 4096;  // of a constant

std::string text_of(const Tensor& tensor) {
  std::string out = std::to_string(static_cast<int32_t>(tensor.type)) + "[";
  for (const int64_t dim : tensor.dims) out += std::to_string(dim) + ",";
  out += ']';
  out.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
  return out;
}

template <typename T>
std::string text_of(const T& value) {
  std::ostringstream out;
  out << std::hexfloat << value;
  return out.str();
}

template <typename T>
std::string text_of(const std::vector<T>& values) {
  std::string out;
  for (const T& value : values) out += text_of(value) + ",";
  return out;
}

/// Equal for nodes that give equal outputs; "" for those that may give another each time, or whose
/// content isn't known.
std::string key_of(const Node& node) {
  static const std::set<std::string> kRandom = {"Bernoulli",     "Multinomial",
                                                "RandomNormal",  "RandomNormalLike",
                                                "RandomUniform", "RandomUniformLike"};
  const bool known = node.domain.empty() || node.domain == kMicrosoft;
  if (!known || kRandom.contains(node.op_type)) return "";
  if (node.op_type == "Dropout" && node.inputs.size() > 2) return "";
  std::string out = node.domain + "\n" + node.op_type + "\n";
  for (const std::string& input : node.inputs) out += input + "\n";
  out += std::to_string(node.outputs.size()) + "\n";
  for (const auto& [name, value] : node.attributes) {
    if (std::holds_alternative<std::shared_ptr<Graph>>(value)) return "";
    if (const auto* tensor = std::get_if<Tensor>(&value);
        tensor && tensor->bytes.size() > kSmallBytes)
      return "";
    const auto write = [](const auto& each) -> std::string {
      if constexpr (std::is_same_v<std::decay_t<decltype(each)>, std::shared_ptr<Graph>>) {
        return "";
      } else {
        return text_of(each);
      }
    };
    const std::string text = std::visit(write, value);
    out += name + "=" + std::to_string(value.index()) + ":" + std::to_string(text.size()) + ":" +
           text + "\n";
  }
  return out;
}

/// Uses of `from` become uses of `to`; only of nodes' inputs.
void replace_uses(Editor& editor, const std::string& from, const std::string& to) {
  for (Node* user : editor.users(from)) {
    for (size_t i = 0; i < user->inputs.size(); ++i) {
      if (user->inputs[i] == from) editor.set_input(*user, i, to);
    }
  }
}

void merge_constants(Editor& editor) {
  std::map<std::string, std::string> first;
  for (const auto& [name, tensor] : editor.graph().initializers) {
    if (tensor.bytes.size() > kSmallBytes || tensor.type == DataType::kString) continue;
    const auto [found, added] = first.emplace(text_of(tensor), name);
    if (!added) replace_uses(editor, name, found->second);
  }
}

}  // namespace

void merge_duplicates(Graph& graph) {
  Editor editor(graph);
  merge_constants(editor);
  std::map<std::string, const Node*> first;
  for (Node& node : graph.nodes) {
    const std::string key = key_of(node);
    if (key.empty()) continue;
    const auto [found, added] = first.emplace(key, &node);
    if (added) continue;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const std::string& kept = found->second->outputs[i];
      if (!kept.empty() && !node.outputs[i].empty()) replace_uses(editor, node.outputs[i], kept);
    }
  }
  editor.finish();
}

}  // namespace embedforge::passes
