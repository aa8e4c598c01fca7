// GELU with the bias before it: BiasGelu(x, bias), FastGelu(x, bias) for the tanh form; without a
// bias com.microsoft's Gelu and FastGelu.
#include "passes/passes.h"
#include "passes/recognized.h"

namespace embedforge::passes {
void fuse_bias_gelu(Graph& graph) {
  Editor editor(graph);
  const Recognized recognized(editor);
  const Shapes& shapes = recognized.shapes();
  for (Node& node : graph.nodes) {
    const bool one_operator =
        is_op(node, "Gelu") || (node.domain == kMicrosoft && node.inputs.size() == 1 &&
                                (node.op_type == "Gelu" || node.op_type == "FastGelu"));
    if (!one_operator && !is_op(node, "Mul")) continue;
    const auto gelu = gelu_of(recognized, node.outputs[0]);
    if (!gelu || !shapes.is_float(gelu->input)) continue;
    auto with_bias = biased(editor, shapes, gelu->input);
    const auto nodes = editor.nodes_between(gelu->input, node);
    if (with_bias && !editor.only_used_by(gelu->input, nodes)) with_bias.reset();
    if (one_operator && !with_bias) continue;
    const char* op = gelu->tanh ? "FastGelu" : with_bias ? "BiasGelu" : "Gelu";
    editor.rewrite(node, op, with_bias ? *with_bias : Names{gelu->input}, {}, kMicrosoft);
  }
  editor.finish();
}

}  // namespace embedforge::passes
