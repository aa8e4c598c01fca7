// ReduceMean, Sub, Pow, ReduceMean, Add, Sqrt, Div, Mul, Add -> LayerNormalization (opset 17).
#include "passes/layer_norm.h"
#include "passes/passes.h"

namespace embedforge::passes {

void fuse_layer_norm(Graph& graph) {
  Editor editor(graph);
  if (editor.opset() < 17) return;
  const Probes probes(editor);
  for (Node& node : graph.nodes) {
    if (!is_op(node, "Add")) continue;
    const auto norm = match_layer_norm(editor, probes, node);
    if (!norm) continue;
    editor.rewrite(node, "LayerNormalization", {norm->input, norm->gamma, norm->beta},
                   {{"axis", int64_t{-1}}, {"epsilon", norm->epsilon}});
  }
  editor.finish();
}

}  // namespace embedforge::passes
