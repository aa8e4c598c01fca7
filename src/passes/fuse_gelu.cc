// Div, Erf, Add, Mul, Mul (or the tanh form) -> Gelu (opset 20).
#include "passes/passes.h"
#include "passes/recognized.h"

namespace embedforge::passes {

void fuse_gelu(Graph& graph) {
  Editor editor(graph);
  if (editor.opset() < 20) return;
  const Recognized recognized(editor);
  for (Node& node : graph.nodes) {
    if (!is_op(node, "Mul")) continue;
    const auto gelu = gelu_of(recognized, node.outputs[0]);
    if (!gelu) continue;
    editor.rewrite(node, "Gelu", {gelu->input},
                   {{"approximate", std::string(gelu->tanh ? "tanh" : "none")}});
  }
  editor.finish();
}

}  // namespace embedforge::passes
