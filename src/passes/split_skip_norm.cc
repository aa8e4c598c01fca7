// SkipLayerNormalization with a bias -> Add, Add and LayerNormalization, for which ONNX Runtime's
// CPU provider has a vectorized kernel (1.32: a sixth of the time; docs/optimizer.md). The bias
// comes last: ONNX Runtime fuses the other order again when it loads the file. Graphs of an older
// opset are raised to 17, which has LayerNormalization, where that changes nothing else.
#include <algorithm>
#include <array>
#include <string_view>

#include "passes/editor.h"
#include "passes/passes.h"
#include "passes/shapes.h"

namespace embedforge::passes {
namespace {

constexpr int64_t kOpset = 17;

/// An operator whose versions from opset `since` to 17 compute the same: they take more types, and
/// attributes and inputs that may be left out.
struct Steady {
  std::string_view op;
  int64_t since;
};
constexpr std::array kSteady = {
    Steady{"Add", 11},       Steady{"Cast", 11},       Steady{"Clip", 11},
    Steady{"Concat", 11},    Steady{"Constant", 11},   Steady{"ConstantOfShape", 11},
    Steady{"Div", 11},       Steady{"Equal", 11},      Steady{"Erf", 11},
    Steady{"Expand", 11},    Steady{"Gather", 11},     Steady{"Gemm", 11},
    Steady{"Identity", 11},  Steady{"MatMul", 11},     Steady{"Max", 11},
    Steady{"Mul", 11},       Steady{"Pow", 11},        Steady{"ReduceL2", 11},
    Steady{"ReduceMax", 11}, Steady{"ReduceMean", 11}, Steady{"Reshape", 11},
    Steady{"Shape", 11},     Steady{"Slice", 11},      Steady{"Sqrt", 11},
    Steady{"Sub", 11},       Steady{"Tanh", 11},       Steady{"Transpose", 11},
    Steady{"Where", 11},     Steady{"ReduceSum", 13},  Steady{"Softmax", 13},
    Steady{"Split", 13},     Steady{"Squeeze", 13},    Steady{"Unsqueeze", 13},
};

/// True where the graph is of opset 17 or newer, or every operator in it means the same there.
bool raise_opset(Graph& graph, int64_t opset) {
  if (opset >= kOpset) return true;
  const auto steady = [&](const Node& node) {
    if (node.domain == kMicrosoft) return true;
    return node.domain.empty() && std::ranges::any_of(kSteady, [&](const Steady& each) {
             return node.op_type == each.op && opset >= each.since;
           });
  };
  if (!graph.functions.empty() || !std::ranges::all_of(graph.nodes, steady)) return false;
  graph.opsets[""] = kOpset;
  graph.ir_version = std::max<int64_t>(graph.ir_version, 8);  // opset 17 came with IR 8
  return true;
}

}  // namespace

void split_skip_norm(Graph& graph) {
  constexpr size_t kBias = 4;
  Editor editor(graph);
  const Shapes shapes(editor);
  for (Node& node : graph.nodes) {
    const bool whole = node.domain == kMicrosoft && node.op_type == "SkipLayerNormalization" &&
                       node.outputs.size() == 1 && node.inputs.size() > kBias;
    if (!whole || !shapes.is_float(node.inputs[0]) ||
        !shapes.same_shape(node.inputs[0], node.inputs[1])) {
      continue;
    }
    if (!raise_opset(graph, editor.opset())) return;
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
