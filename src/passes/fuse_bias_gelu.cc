// GELU with the bias before it: BiasGelu(x, bias), FastGelu(x, bias) for the tanh form; without a
// bias com.microsoft's Gelu and FastGelu.
#include "passes/passes.h"
#include "passes/recognized.h"

namespace embedforge::passes {
namespace {

/// Input and bias of x + bias, which nothing but `users` uses; nullopt for other values.
std::optional<Names> with_bias(const Editor& editor, const Shapes& shapes, const std::string& value,
                               const std::set<const Node*>& users) {
  const Node* sum = editor.maker(value, "Add");
  const Shadow* made = shapes.at(0, value);
  if (sum == nullptr || made == nullptr || made->dims.empty() ||
      !editor.only_used_by(value, users)) {
    return std::nullopt;
  }
  for (size_t i = 0; i < 2; ++i) {
    const Tensor* bias = editor.constant(sum->inputs[i]);
    if (bias == nullptr || bias->dims != std::vector<int64_t>{made->dims.back()}) continue;
    if (!shapes.same_shape(sum->inputs[1 - i], value)) continue;
    return Names{sum->inputs[1 - i], sum->inputs[i]};
  }
  return std::nullopt;
}

}  // namespace

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
    const auto biased =
        with_bias(editor, shapes, gelu->input, editor.nodes_between(gelu->input, node));
    if (one_operator && !biased) continue;
    const char* op = gelu->tanh ? "FastGelu" : biased ? "BiasGelu" : "Gelu";
    editor.rewrite(node, op, biased ? *biased : Names{gelu->input}, {}, kMicrosoft);
  }
  editor.finish();
}

}  // namespace embedforge::passes
