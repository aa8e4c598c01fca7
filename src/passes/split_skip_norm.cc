// SkipLayerNormalization with a bias -> Add, Add and LayerNormalization, for which ONNX Runtime's
// CPU provider has a vectorized kernel (1.32: a sixth of the time; docs/optimizer.md). The bias
// comes last: ONNX Runtime fuses the other order again when it loads the file.
#include "passes/editor.h"
#include "passes/passes.h"
#include "passes/probes.h"

namespace embedforge::passes {

void split_skip_norm(Graph& graph) {
  constexpr size_t kBias = 4;
  Editor editor(graph);
  if (editor.opset() < 17) return;
  const Probes probes(editor);
  for (Node& node : graph.nodes) {
    const bool whole = node.domain == kMicrosoft && node.op_type == "SkipLayerNormalization" &&
                       node.outputs.size() == 1 && node.inputs.size() > kBias;
    if (!whole || !probes.is_float(node.inputs[0]) ||
        !probes.same_shape(node.inputs[0], node.inputs[1])) {
      continue;
    }
    const std::string& out = node.outputs[0];
    const std::string sum =
        editor.insert(out + "_residual", "Add", {node.inputs[0], node.inputs[1]});
    const std::string biased = editor.insert(out + "_sum", "Add", {sum, node.inputs[kBias]});
    editor.rewrite(node, "LayerNormalization", {biased, node.inputs[2], node.inputs[3]},
                   {{"axis", int64_t{-1}}, {"epsilon", node.float_attribute("epsilon", 1e-12F)}});
  }
  editor.finish();
}

}  // namespace embedforge::passes
