// A node whose inputs are all constants becomes its result, unless that is much larger than what it
// is made from. Quantized weights stay quantized.
#include <set>

#include "embedforge/error.h"
#include "graph/evaluate.h"
#include "passes/editor.h"
#include "passes/passes.h"

namespace embedforge::passes {
namespace {

/// What a result may take beyond what its inputs took.
constexpr size_t kGrowth = 64 * 1024;

bool keeps_its_form(const Node& node) {
  static const std::set<std::string> kQuantization = {"DequantizeLinear", "DynamicQuantizeLinear",
                                                      "QuantizeLinear"};
  return kQuantization.contains(node.op_type) || !can_evaluate(node);
}

bool fold(Editor& editor, Node& node) {
  if (keeps_its_form(node)) return false;
  for (const std::string& name : node.outputs) {
    if (editor.is_output(name)) return false;
  }
  std::vector<const Tensor*> inputs;
  size_t bytes = 0;
  for (const std::string& name : node.inputs) {
    inputs.push_back(name.empty() ? nullptr : editor.constant(name));
    if (inputs.back() == nullptr && !name.empty()) return false;
    if (inputs.back() != nullptr) bytes += inputs.back()->bytes.size();
  }
  std::vector<Tensor> results;
  if (const Tensor* value = node.op_type == "Constant" ? editor.constant(node.outputs[0]) : nullptr;
      value != nullptr) {
    results = {*value};
  } else {
    try {
      results = evaluate(node, inputs, editor.opset());
    } catch (const Error&) {
      return false;  // the runtime's to refuse
    }
  }
  size_t made = 0;
  for (const Tensor& result : results) made += result.bytes.size();
  if (node.op_type != "Constant" && made > bytes + kGrowth) return false;
  for (size_t i = 0; i < node.outputs.size() && i < results.size(); ++i) {
    if (!node.outputs[i].empty()) editor.graph().initializers[node.outputs[i]] = results[i];
  }
  return true;
}

}  // namespace

void fold_constants(Graph& graph) {
  Editor editor(graph);
  std::set<const Node*> folded;
  for (Node& node : graph.nodes) {
    if (node.outputs.empty() || !fold(editor, node)) continue;
    folded.insert(&node);
  }
  if (folded.empty()) return;
  std::vector<Node> kept;
  for (Node& node : graph.nodes) {
    if (!folded.contains(&node)) kept.push_back(std::move(node));
  }
  graph.nodes = std::move(kept);
  remove_dead(graph);
}

}  // namespace embedforge::passes
