// Add(MatMul(x, w), bias) -> Gemm(x, w, bias) where x is a matrix. Gemm takes no other ranks, and
// reshaping to a matrix and back gains nothing.
#include "passes/editor.h"
#include "passes/passes.h"
#include "passes/shapes.h"

namespace embedforge::passes {

void fuse_gemm(Graph& graph) {
  Editor editor(graph);
  const Shapes shapes(editor);
  for (Node& node : graph.nodes) {
    if (!is_op(node, "Add")) continue;
    for (size_t i = 0; i < 2; ++i) {
      const Node* product = editor.maker(node.inputs[1 - i], "MatMul");
      const Tensor* bias = editor.constant(node.inputs[i]);
      if (product == nullptr || bias == nullptr) continue;
      const Tensor* weight = editor.constant(product->inputs[1]);
      const Shadow* in = shapes.at(0, product->inputs[0]);
      if (weight == nullptr || in == nullptr || editor.use_count(node.inputs[1 - i]) != 1) continue;
      const bool fits = in->dims.size() == 2 && weight->dims.size() == 2 &&
                        bias->dims == std::vector<int64_t>{weight->dims[1]} &&
                        shapes.is_float(product->inputs[0]);
      if (!fits) continue;
      const Names inputs = {product->inputs[0], product->inputs[1], node.inputs[i]};
      editor.rewrite(node, "Gemm", inputs);
      break;
    }
  }
  editor.finish();
}

}  // namespace embedforge::passes
