// Div, Erf, Add, Mul, Mul (or the tanh form) -> Gelu (opset 20).
#include "passes/gelu.h"
#include "passes/passes.h"

namespace embedforge::passes {

void fuse_gelu(Graph& graph) {
  Editor editor(graph);
  if (editor.opset() < 20) return;
  for (Node& node : graph.nodes) {
    if (!is_op(node, "Mul")) continue;
    const auto gelu = match_gelu(editor, node);
    if (!gelu) continue;
    editor.rewrite(node, "Gelu", {gelu->input},
                   {{"approximate", std::string(gelu->tanh ? "tanh" : "none")}});
  }
  editor.finish();
}

}  // namespace embedforge::passes
