// Transpose of a product's input, and a factor on its result, become attributes of FusedMatMul.
#include <numeric>

#include "passes/editor.h"
#include "passes/passes.h"
#include "passes/shapes.h"

namespace embedforge::passes {
namespace {

/// What the value is the transpose of, of its last two axes; "" for other values.
std::string transposed(const Editor& editor, const std::string& value) {
  const Node* node = editor.maker(value, "Transpose");
  const auto* perm = node == nullptr ? nullptr : node->ints_attribute("perm");
  if (perm == nullptr || perm->size() < 2 || editor.use_count(value) != 1) return "";
  std::vector<int64_t> expected(perm->size());
  std::iota(expected.begin(), expected.end(), 0);
  std::swap(expected.end()[-1], expected.end()[-2]);
  return *perm == expected ? node->inputs[0] : "";
}

void take_transposes(Editor& editor, Node& node) {
  Names inputs = node.inputs;
  Attributes attributes = {{"alpha", 1.0F}, {"transA", int64_t{0}}, {"transB", int64_t{0}}};
  bool found = false;
  for (size_t i = 0; i < 2; ++i) {
    const std::string source = transposed(editor, inputs[i]);
    if (source.empty()) continue;
    inputs[i] = source;
    attributes[i == 0 ? "transA" : "transB"] = int64_t{1};
    found = true;
  }
  if (found) editor.rewrite(node, "FusedMatMul", inputs, attributes, kMicrosoft);
}

/// product * factor, or product / factor
void take_factor(Editor& editor, Node& node) {
  const bool divides = is_op(node, "Div");
  for (size_t i = 0; i < 2; ++i) {
    const auto factor = editor.scalar(node.inputs[i]);
    if (!factor || (divides && (i == 0 || *factor == 0))) continue;
    const std::string value = node.inputs[1 - i];
    const Node* product = editor.maker(value);
    if (product == nullptr || editor.use_count(value) != 1) return;
    const bool fused = product->domain == kMicrosoft && product->op_type == "FusedMatMul";
    if (!fused && !is_op(*product, "MatMul")) return;
    Attributes attributes = product->attributes;
    const double alpha = static_cast<double>(product->float_attribute("alpha", 1));
    attributes["alpha"] = static_cast<float>(divides ? alpha / *factor : alpha * *factor);
    editor.rewrite(node, "FusedMatMul", product->inputs, attributes, kMicrosoft);
    return;
  }
}

}  // namespace

void fuse_matmul(Graph& graph) {
  Editor editor(graph);
  const Shapes shapes(editor);
  for (Node& node : graph.nodes) {
    if (is_op(node, "MatMul") && shapes.is_float(node.outputs[0])) take_transposes(editor, node);
    const bool scales = is_op(node, "Mul") || is_op(node, "Div");
    if (scales && shapes.is_float(node.outputs[0])) take_factor(editor, node);
  }
  editor.finish();
}

}  // namespace embedforge::passes
