// Reshape, Squeeze, Unsqueeze, Flatten, Expand, Slice, Transpose and Concat that change nothing,
// and pairs of them that are one.
#include <algorithm>
#include <limits>
#include <numeric>
#include <set>

#include "passes/editor.h"
#include "passes/passes.h"
#include "passes/shapes.h"

namespace embedforge::passes {
namespace {

/// Keeps the order of elements.
bool only_reshapes(const Node& node) {
  static const std::set<std::string> kOps = {"Flatten", "Reshape", "Squeeze", "Unsqueeze"};
  return node.domain.empty() && kOps.contains(node.op_type) && !node.inputs.empty();
}

std::optional<std::vector<int64_t>> permutation(const Shapes& shapes, const Node& node) {
  if (const auto* perm = node.ints_attribute("perm")) return *perm;
  const Shadow* in = shapes.at(0, node.inputs[0]);
  if (in == nullptr) return std::nullopt;
  std::vector<int64_t> out(in->dims.size());
  std::iota(out.rbegin(), out.rend(), 0);
  return out;
}

/// A Slice whose result has its input's shape takes all of it when it can't be that a longer input
/// would be cut.
bool slices_everything(const Editor& editor, const Shapes& shapes, const Node& node) {
  if (node.inputs.size() < 4) return false;  // the forms of older opsets and of all axes stay
  const auto ends = editor.integers(node.inputs[2]);
  const auto axes = editor.integers(node.inputs[3]);
  const auto shape = shapes.shape(node.inputs[0]);
  if (!ends || !axes || !shape || ends->size() != axes->size()) return false;
  if (node.inputs.size() > 4) {
    const auto steps = editor.integers(node.inputs[4]);
    if (!steps || std::ranges::any_of(*steps, [](int64_t step) { return step != 1; })) return false;
  }
  for (size_t i = 0; i < ends->size(); ++i) {
    const auto rank = static_cast<int64_t>(shape->size());
    const int64_t axis = (*axes)[i] < 0 ? (*axes)[i] + rank : (*axes)[i];
    if (axis < 0 || axis >= rank) return false;
    const bool open = (*ends)[i] >= std::numeric_limits<int32_t>::max();
    if ((*shape)[static_cast<size_t>(axis)] < 0 && !open) return false;
  }
  return true;
}

bool changes_nothing(const Editor& editor, const Shapes& shapes, const Node& node) {
  if (!node.domain.empty() || node.inputs.empty()) return false;
  if (node.op_type == "Concat") return node.inputs.size() == 1;
  if (node.op_type == "Transpose") {
    const auto perm = permutation(shapes, node);
    return perm && std::ranges::is_sorted(*perm);
  }
  if (!shapes.same_shape(node.inputs[0], node.outputs[0])) return false;
  if (node.op_type == "Slice") return slices_everything(editor, shapes, node);
  return only_reshapes(node) || node.op_type == "Expand";
}

void join_transposes(Editor& editor, const Shapes& shapes, Node& node) {
  const Node* inner = editor.maker(node.inputs[0], "Transpose");
  if (inner == nullptr) return;
  const auto first = permutation(shapes, *inner);
  const auto second = permutation(shapes, node);
  if (!first || !second || first->size() != second->size()) return;
  std::vector<int64_t> joined;
  for (const int64_t axis : *second) joined.push_back(first->at(static_cast<size_t>(axis)));
  const std::string source = inner->inputs[0];
  editor.rewrite(node, "Transpose", {source}, {{"perm", joined}});
}

void join_reshapes(Editor& editor, const Shapes& shapes, Node& node) {
  const Node* inner = editor.maker(node.inputs[0]);
  if (inner == nullptr || !only_reshapes(*inner)) return;
  const std::string source = inner->inputs[0];
  if (shapes.same_shape(source, node.outputs[0])) {
    editor.bypass(node, source);
    return;
  }
  if (!is_op(node, "Reshape") || node.inputs.size() != 2) return;
  const auto target = editor.integers(node.inputs[1]);
  if (target && std::ranges::find(*target, 0) == target->end()) editor.set_input(node, 0, source);
}

}  // namespace

void simplify_layout(Graph& graph) {
  Editor editor(graph);
  const Shapes shapes(editor);
  for (Node& node : graph.nodes) {
    if (node.inputs.empty() || node.outputs.empty()) continue;
    if (changes_nothing(editor, shapes, node)) {
      editor.bypass(node, node.inputs[0]);
    } else if (is_op(node, "Transpose")) {
      join_transposes(editor, shapes, node);
    } else if (only_reshapes(node)) {
      join_reshapes(editor, shapes, node);
    }
  }
  editor.finish();
}

}  // namespace embedforge::passes
