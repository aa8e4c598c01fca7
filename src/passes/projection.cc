#include "passes/projection.h"

namespace embedforge::passes {

std::optional<Projection> match_projection(const Editor& editor, const std::string& value) {
  const Node* sum = editor.maker(value, "Add");
  for (size_t i = 0; i < (sum == nullptr ? 1 : 2); ++i) {
    const Node* node = editor.maker(sum == nullptr ? value : sum->inputs[1 - i], "MatMul");
    const Tensor* weight = node == nullptr ? nullptr : editor.constant(node->inputs[1]);
    if (weight == nullptr || weight->dims.size() != 2 || weight->type != DataType::kFloat) continue;
    Projection out{node->inputs[0], node->inputs[1], "", weight, nullptr};
    if (sum == nullptr) return out;
    out.bias = sum->inputs[i];
    out.biases = editor.constant(out.bias);
    const bool fits = out.biases != nullptr && out.biases->dims == std::vector{weight->dims[1]};
    if (fits) return out;
  }
  return std::nullopt;
}

}  // namespace embedforge::passes
