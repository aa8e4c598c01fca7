// ReduceMean, Sub, Pow, ReduceMean, Add, Sqrt, Div, Mul, Add -> LayerNormalization (opset 17).
#include "passes/passes.h"
#include "passes/recognized.h"

namespace embedforge::passes {

void fuse_layer_norm(Graph& graph) {
  Editor editor(graph);
  if (editor.opset() < 17) return;
  const Recognized recognized(editor);
  for (Node& node : graph.nodes) {
    if (!is_op(node, "Add")) continue;
    const auto norm = layer_norm_of(editor, recognized, node);
    if (!norm) continue;
    editor.rewrite(node, "LayerNormalization", {norm->input, norm->gamma, norm->beta},
                   {{"axis", int64_t{-1}}, {"epsilon", norm->epsilon}});
  }
  editor.finish();
}

}  // namespace embedforge::passes
