// Operators that give back what they take: Identity, Cast to the same type, Dropout, x + 0, x - 0,
// x * 1, x / 1.
#include <set>

#include "passes/editor.h"
#include "passes/passes.h"
#include "passes/shapes.h"

namespace embedforge::passes {
namespace {

/// The value that the node gives back; "" when it does something.
std::string given_back(const Editor& editor, const Shapes& shapes, const Node& node) {
  if (node.inputs.empty() || !node.domain.empty()) return "";
  if (node.op_type == "Identity") return node.inputs[0];
  if (node.op_type == "Dropout") {
    const bool plain = node.inputs.size() < 3 || editor.scalar(node.inputs[2]) == 0.0;
    const bool mask = node.outputs.size() > 1 && editor.use_count(node.outputs[1]) > 0;
    return plain && !mask ? node.inputs[0] : "";
  }
  if (node.op_type == "Cast") {
    const Shadow* in = shapes.at(0, node.inputs[0]);
    const bool same =
        in != nullptr && static_cast<int64_t>(in->type) == node.int_attribute("to", 0);
    return same ? node.inputs[0] : "";
  }
  const bool sum = node.op_type == "Add" || node.op_type == "Sub";
  const bool product = node.op_type == "Mul" || node.op_type == "Div";
  if ((!sum && !product) || node.inputs.size() != 2) return "";
  const double neutral = sum ? 0 : 1;
  const bool commutes = node.op_type == "Add" || node.op_type == "Mul";
  for (size_t i = commutes ? 0 : 1; i < 2; ++i) {
    const std::string& other = node.inputs[1 - i];
    if (editor.scalar(node.inputs[i]) == neutral && shapes.same_shape(other, node.outputs[0])) {
      return other;
    }
  }
  return "";
}

}  // namespace

void remove_identities(Graph& graph) {
  Editor editor(graph);
  const Shapes shapes(editor);
  for (Node& node : graph.nodes) {
    const std::string value = given_back(editor, shapes, node);
    if (!value.empty() && !node.outputs.empty()) editor.bypass(node, value);
  }
  editor.finish();
}

}  // namespace embedforge::passes
