// Shape arithmetic whose result no input's size changes becomes a constant, and the target of a
// Reshape a constant with 0 for a size that is kept and -1 for one that follows.
#include <algorithm>

#include "graph/tensor.h"
#include "passes/editor.h"
#include "passes/passes.h"
#include "passes/shapes.h"

namespace embedforge::passes {
namespace {

constexpr int64_t kSmallCount = 1024;  // elements of shape arithmetic

/// What the value is for any input; nullptr when it isn't known to be the same.
const Tensor* fixed_content(const Shapes& shapes, const std::string& value) {
  const Shadow* first = shapes.at(0, value);
  const Shadow* second = shapes.at(1, value);
  if (first == nullptr || second == nullptr || !first->content || !second->content) return nullptr;
  const Tensor& a = *first->content;
  const Tensor& b = *second->content;
  const bool same = a.type == b.type && a.dims == b.dims && std::ranges::equal(a.bytes, b.bytes);
  return same && a.element_count() <= kSmallCount ? &a : nullptr;
}

/// True when the value's content follows from shapes alone, not from the mask's elements.
bool depends_on_inputs_values(const Editor& editor, const std::string& value, int depth = 32) {
  if (editor.constant(value) != nullptr) return false;
  const Node* node = editor.maker(value);
  if (node == nullptr || depth == 0) return true;
  if (is_op(*node, "Shape") || is_op(*node, "Size")) return false;
  return std::ranges::any_of(node->inputs, [&](const std::string& name) {
    return !name.empty() && depends_on_inputs_values(editor, name, depth - 1);
  });
}

std::optional<std::vector<int64_t>> target_of(const Shapes& shapes, const Node& node) {
  std::vector<int64_t> out;
  const Shadow* in[] = {shapes.at(0, node.inputs[0]), shapes.at(1, node.inputs[0])};
  const Shadow* made[] = {shapes.at(0, node.outputs[0]), shapes.at(1, node.outputs[0])};
  for (size_t i = 0; i < Shapes::kCount; ++i) {
    if (in[i] == nullptr || made[i] == nullptr) return std::nullopt;
  }
  if (in[0]->dims.size() != in[1]->dims.size() || made[0]->dims.size() != made[1]->dims.size()) {
    return std::nullopt;
  }
  int open = 0;
  for (size_t i = 0; i < made[0]->dims.size(); ++i) {
    const int64_t a = made[0]->dims[i];
    const int64_t b = made[1]->dims[i];
    const bool kept = i < in[0]->dims.size() && in[0]->dims[i] == a && in[1]->dims[i] == b;
    if (a == 0 || b == 0) return std::nullopt;
    if (a == b) {
      out.push_back(a);
    } else if (kept) {
      out.push_back(0);
    } else {
      out.push_back(-1);
      ++open;
    }
  }
  return open <= 1 ? std::optional(out) : std::nullopt;
}

void fold_reshape(Editor& editor, const Shapes& shapes, Node& node) {
  if (node.inputs.size() != 2 || node.int_attribute("allowzero", 0) != 0) return;
  if (editor.constant(node.inputs[1]) != nullptr) return;
  if (depends_on_inputs_values(editor, node.inputs[1])) return;
  const auto target = target_of(shapes, node);
  if (!target) return;
  const auto rank = static_cast<int64_t>(target->size());
  const std::string name =
      editor.add_constant(node.outputs[0] + "_shape", Tensor::from_ints({rank}, *target));
  editor.set_input(node, 1, name);
}

}  // namespace

void fold_shapes(Graph& graph) {
  Editor editor(graph);
  const Shapes shapes(editor);
  for (Node& node : graph.nodes) {
    if (is_op(node, "Reshape")) fold_reshape(editor, shapes, node);
    if (is_op(node, "Constant")) continue;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const std::string name = node.inputs[i];
      if (name.empty() || editor.constant(name) != nullptr || editor.maker(name) == nullptr)
        continue;
      const Tensor* content = fixed_content(shapes, name);
      if (content == nullptr || depends_on_inputs_values(editor, name)) continue;
      editor.set_input(node, i, editor.add_constant(name + "_folded", *content));
    }
  }
  editor.finish();
}

}  // namespace embedforge::passes
