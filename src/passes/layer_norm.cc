#include "passes/layer_norm.h"

namespace embedforge::passes {
namespace {

/// A constant [width].
bool is_row(const Editor& editor, const std::string& value, int64_t width) {
  const Tensor* tensor = editor.constant(value);
  return tensor != nullptr && tensor->dims == std::vector<int64_t>{width};
}

/// The input of a mean over the last axis; "" for other values.
std::string averaged(const Editor& editor, const std::string& value, size_t rank) {
  const Node* node = editor.maker(value, "ReduceMean");
  if (node == nullptr || node->int_attribute("keepdims", 1) == 0) return "";
  std::optional<std::vector<int64_t>> axes;
  if (node->inputs.size() > 1) {
    axes = editor.integers(node->inputs[1]);
  } else if (const auto* given = node->ints_attribute("axes")) {
    axes = *given;
  }
  if (!axes || axes->size() != 1) return "";
  const bool last = (*axes)[0] == -1 || (*axes)[0] + 1 == static_cast<int64_t>(rank);
  return last ? node->inputs[0] : "";
}

/// x of x - mean(x); "" for other values.
std::string centered(const Editor& editor, const std::string& value, size_t rank) {
  const Node* node = editor.maker(value, "Sub");
  if (node == nullptr) return "";
  return averaged(editor, node->inputs[1], rank) == node->inputs[0] ? node->inputs[0] : "";
}

/// x of x^2; "" for other values.
std::string squared(const Editor& editor, const std::string& value) {
  if (const Node* node = editor.maker(value, "Pow")) {
    return editor.scalar(node->inputs[1]) == 2.0 ? node->inputs[0] : "";
  }
  const Node* node = editor.maker(value, "Mul");
  return node != nullptr && node->inputs[0] == node->inputs[1] ? node->inputs[0] : "";
}

/// (x - mean) / sqrt(variance + epsilon)
std::optional<LayerNorm> match_normalized(const Editor& editor, const std::string& value,
                                          size_t rank) {
  const Node* ratio = editor.maker(value, "Div");
  if (ratio == nullptr) return std::nullopt;
  LayerNorm out;
  out.input = centered(editor, ratio->inputs[0], rank);
  const Node* root = editor.maker(ratio->inputs[1], "Sqrt");
  const Node* sum = root == nullptr ? nullptr : editor.maker(root->inputs[0], "Add");
  if (out.input.empty() || sum == nullptr) return std::nullopt;
  for (size_t i = 0; i < 2; ++i) {
    const auto epsilon = editor.scalar(sum->inputs[i]);
    const std::string square = averaged(editor, sum->inputs[1 - i], rank);
    if (!epsilon || square.empty()) continue;
    if (centered(editor, squared(editor, square), rank) != out.input) continue;
    out.epsilon = static_cast<float>(*epsilon);
    return out.epsilon >= 0 ? std::optional(out) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<LayerNorm> match_operator(const Editor& editor, const Node& node, size_t rank,
                                        int64_t width) {
  const int64_t axis = node.int_attribute("axis", -1);
  if (axis != -1 && axis + 1 != static_cast<int64_t>(rank)) return std::nullopt;
  if (node.inputs.size() != 3 || !is_row(editor, node.inputs[1], width) ||
      !is_row(editor, node.inputs[2], width)) {
    return std::nullopt;
  }
  for (size_t i = 1; i < node.outputs.size(); ++i) {
    if (editor.use_count(node.outputs[i]) > 0) return std::nullopt;
  }
  const float epsilon = node.float_attribute("epsilon", 1e-5F);
  if (epsilon < 0) return std::nullopt;  // which the fused operators refuse
  return LayerNorm{node.inputs[0], node.inputs[1], node.inputs[2], epsilon};
}

}  // namespace

std::optional<LayerNorm> match_layer_norm(const Editor& editor, const Probes& probes,
                                          const Node& node) {
  const bool one = is_op(node, "LayerNormalization");
  if (!one && !is_op(node, "Add")) return std::nullopt;
  const Shadow* made = probes.at(0, node.outputs[0]);
  if (made == nullptr || made->type != DataType::kFloat || made->dims.empty()) return std::nullopt;
  const size_t rank = made->dims.size();
  const int64_t width = made->dims.back();
  if (one) return match_operator(editor, node, rank, width);
  for (size_t i = 0; i < 2; ++i) {
    if (!is_row(editor, node.inputs[i], width)) continue;
    const Node* scaled = editor.maker(node.inputs[1 - i], "Mul");
    for (size_t j = 0; scaled != nullptr && j < 2; ++j) {
      if (!is_row(editor, scaled->inputs[j], width)) continue;
      auto out = match_normalized(editor, scaled->inputs[1 - j], rank);
      if (!out) continue;
      out->gamma = scaled->inputs[j];
      out->beta = node.inputs[i];
      return out;
    }
  }
  return std::nullopt;
}

}  // namespace embedforge::passes
