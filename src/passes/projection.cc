#include "passes/projection.h"

namespace embedforge::passes {
namespace {

std::optional<Projection> match_product(const Editor& editor, const std::string& value) {
  const Node* node = editor.maker(value, "MatMul");
  if (node == nullptr) return std::nullopt;
  const Tensor* weight = editor.constant(node->inputs[1]);
  if (weight == nullptr || weight->dims.size() != 2 || weight->type != DataType::kFloat) {
    return std::nullopt;
  }
  return Projection{node->inputs[0], node->inputs[1], "", weight, nullptr};
}

}  // namespace

std::optional<Projection> match_projection(const Editor& editor, const std::string& value) {
  const Node* sum = editor.maker(value, "Add");
  if (sum == nullptr) return match_product(editor, value);
  for (size_t i = 0; i < 2; ++i) {
    const Tensor* bias = editor.constant(sum->inputs[i]);
    auto out = match_product(editor, sum->inputs[1 - i]);
    if (bias == nullptr || !out || bias->dims != std::vector<int64_t>{out->weights->dims[1]}) {
      continue;
    }
    out->bias = sum->inputs[i];
    out->biases = bias;
    return out;
  }
  return std::nullopt;
}

}  // namespace embedforge::passes
