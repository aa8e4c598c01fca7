#include "passes/attention_match.h"

#include <cmath>
#include <utility>

#include "passes/attention_mask.h"

namespace embedforge::passes {
namespace {

constexpr int kSteps = 16;  // of moving heads about, or of masking

/// The matrix products and what is between them.
struct Core {
  std::string q, k, v;  // [batch, heads, sequence, size], k perhaps [batch, heads, size, sequence]
  bool k_transposed = true;
  double scale = 1;
  std::string context;  // [batch, heads, sequence, size], or the result itself
  Node* context_maker = nullptr;
};

/// `value` = heads of columns of the operand's value: element [b, h, s, d] is [b, s, column + h
/// size
/// + d] times `scale`. `at` tells where [b, h, s, d] lies.
template <typename At>
bool read_origin(const std::vector<double>& origin, const Choice& choice, int64_t heads,
                 int64_t size, At at, Operand& operand, double& scale) {
  if (origin.size() != static_cast<size_t>(choice.batch * choice.sequence * heads * size)) {
    return false;
  }
  // Elements 1 and size of token 0 and, one token later, differ by known steps; so the scale.
  const auto value = [&](int64_t b, int64_t h, int64_t s, int64_t d) {
    return origin[static_cast<size_t>(at(b, h, s, d))];
  };
  scale = (value(0, 0, 1, 0) - value(0, 0, 0, 0)) / static_cast<double>(operand.width);
  if (!(std::abs(scale) > 1e-9)) return false;
  operand.column = std::llround(value(0, 0, 0, 0) / scale) - 1;
  for (int64_t b = 0; b < choice.batch; ++b) {
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t s = 0; s < choice.sequence; ++s) {
        for (int64_t d = 0; d < size; ++d) {
          const int64_t expected =
              (b * choice.sequence + s) * operand.width + operand.column + h * size + d + 1;
          if (!(std::abs(value(b, h, s, d) / scale - static_cast<double>(expected)) < 0.3)) {
            return false;
          }
        }
      }
    }
  }
  return operand.column >= 0 && operand.column + heads * size <= operand.width;
}

/// Walks back over what moves and scales elements, to the last value [batch, sequence, width].
Operand find_source(const Editor& editor, const Shapes& shapes, const std::string& from) {
  Operand out;
  std::string value = from;
  for (int step = 0; step < kSteps; ++step) {
    const auto shape = shapes.shape(value);
    const bool tokens = shape && shape->size() == 3 && (*shape)[0] == kBatch &&
                        (*shape)[1] == kSequence && (*shape)[2] > 0;
    if (tokens && shapes.is_float(value)) {
      out.value = value;
      out.width = (*shape)[2];
    }
    const Node* node = editor.maker(value);
    if (node == nullptr || !node->domain.empty()) break;
    if (node->op_type == "Add" && !out.rotary) {
      out.rotary = match_rotary(editor, shapes, value);
      if (!out.rotary) break;
      out.rotated = value;
      value = out.rotary->input;
      continue;
    }
    const bool scales = (node->op_type == "Mul" || node->op_type == "Div") &&
                        editor.scalar(node->inputs[1]).has_value();
    const bool moves = moves_elements(*node) && node->op_type != "Cast";
    if (scales || moves) {
      value = node->inputs[0];
    } else if (node->op_type == "Mul" && editor.scalar(node->inputs[0])) {
      value = node->inputs[1];
    } else {
      break;
    }
  }
  return out;
}

std::optional<Operand> trace_operand(const Editor& editor, const Shapes& shapes,
                                     const std::string& value, bool transposed,
                                     AttentionMatch& match, double& scale) {
  const Shadow* shadow = shapes.at(0, value);
  if (shadow == nullptr || shadow->dims.size() != 4) return std::nullopt;
  const Choice& choice = shapes.choice(0);
  const int64_t heads = shadow->dims[1];
  const int64_t size = shadow->dims[transposed ? 2 : 3];
  if (match.heads == 0) {
    match.heads = heads;
    match.head_size = size;
  }
  if (heads != match.heads || size != match.head_size) return std::nullopt;
  Operand out = find_source(editor, shapes, value);
  if (out.value.empty()) return std::nullopt;
  std::map<std::string, std::string> equal;
  // The rotation mixes what lies within a head, and moves no head.
  if (out.rotary) equal.emplace(out.rotated, out.rotary->input);
  const auto origin = shapes.origin(out.value, value, equal);
  if (!origin) return std::nullopt;
  const auto at = [&](int64_t b, int64_t h, int64_t s, int64_t d) {
    const int64_t row = b * heads + h;
    return transposed ? (row * size + d) * choice.sequence + s
                      : (row * choice.sequence + s) * size + d;
  };
  double factor = 1;
  if (!read_origin(*origin, choice, heads, size, at, out, factor)) return std::nullopt;
  scale *= factor;
  return out;
}

/// Depends on the tokens, which masks and position biases don't.
bool is_scores(const Shapes& shapes, const std::string& value) {
  const Shadow* shadow = shapes.at(0, value);
  return shadow != nullptr && shadow->dims.size() == 4 && !shadow->content;
}

bool take_effect(const MaskEffect& effect, const std::string& value, bool scaled,
                 AttentionMatch& match) {
  using Kind = MaskEffect::Kind;
  if (effect.kind == Kind::kNone) return true;
  if (effect.kind == Kind::kPadding) {
    match.masked = true;
    match.masked_score = effect.masked_score;
    return true;
  }
  if (effect.kind == Kind::kOther || scaled || !match.bias.empty()) return false;
  match.bias = value;
  return true;
}

/// One step back from the scores that go into the softmax; "" when there is none.
std::string unmask(const Editor& editor, const Shapes& shapes, const Node& node, double& scale,
                   AttentionMatch& match) {
  const Names& in = node.inputs;
  if (node.op_type == "Mul" || node.op_type == "Div") {
    for (size_t i = 0; i < 2; ++i) {
      const auto factor = editor.scalar(in[i]);
      if (!factor || (node.op_type == "Div" && (i == 0 || *factor == 0))) continue;
      scale *= node.op_type == "Div" ? 1 / *factor : *factor;
      return in[1 - i];
    }
    return "";
  }
  if (node.op_type == "Add") {
    for (size_t i = 0; i < 2; ++i) {
      if (!is_scores(shapes, in[1 - i]) || is_scores(shapes, in[i])) continue;
      const MaskEffect effect = effect_of_addend(shapes, in[i]);
      return take_effect(effect, in[i], scale != 1, match) ? in[1 - i] : "";
    }
    return "";
  }
  if (node.op_type == "Where") {
    for (size_t i = 1; i < 3; ++i) {
      const auto other = editor.scalar(in[3 - i]);
      if (!other || !is_scores(shapes, in[i])) continue;
      const MaskEffect effect = effect_of_choice(shapes, in[0], i == 1, *other);
      if (take_effect(effect, in[0], scale != 1, match)) return in[i];
    }
  }
  return "";
}

/// From the scores that go into the softmax back to q and k.
bool find_scores(const Editor& editor, const Shapes& shapes, std::string value, Core& core,
                 AttentionMatch& match) {
  for (int step = 0; step < kSteps; ++step) {
    const Node* node = editor.maker(value);
    if (node == nullptr) return false;
    const bool fused = node->domain == kMicrosoft && node->op_type == "FusedMatMul";
    if (is_op(*node, "MatMul") || fused) {
      core.q = node->inputs[0];
      core.k = node->inputs[1];
      core.k_transposed = node->int_attribute("transB", 0) == 0;
      core.scale *= static_cast<double>(node->float_attribute("alpha", 1));
      return node->int_attribute("transA", 0) == 0 && node->int_attribute("transBatchA", 0) == 0 &&
             node->int_attribute("transBatchB", 0) == 0;
    }
    if (!node->domain.empty()) return false;
    value = unmask(editor, shapes, *node, core.scale, match);
  }
  return false;
}

/// From the softmax on to the product with v, over a guard against rows that are all padding.
bool find_context(const Editor& editor, std::string value, Core& core) {
  for (int step = 0; step < kSteps; ++step) {
    std::string next;
    for (Node* user : editor.users(value)) {
      if (is_op(*user, "MatMul") && user->inputs[0] == value) {
        core.v = user->inputs[1];
        core.context = user->outputs[0];
        core.context_maker = user;
        return true;
      }
      if (is_op(*user, "Where") && user->inputs[2] == value &&
          editor.scalar(user->inputs[1]) == 0.0) {
        const Node* test = editor.maker(user->inputs[0], "IsNaN");
        if (test != nullptr && test->inputs[0] == value) next = user->outputs[0];
      }
    }
    value = next;
  }
  return false;
}

std::optional<Core> core_of_softmax(const Editor& editor, const Shapes& shapes, const Node& node,
                                    AttentionMatch& match) {
  const int64_t axis = node.int_attribute("axis", editor.opset() >= 13 ? -1 : 1);
  if ((axis != -1 && axis != 3) || !is_scores(shapes, node.inputs[0])) return std::nullopt;
  Core core;
  if (!find_scores(editor, shapes, node.inputs[0], core, match)) return std::nullopt;
  if (!find_context(editor, node.outputs[0], core)) return std::nullopt;
  return core;
}

/// Attention(Q, K, V, attn_mask, past_key, past_value) of opset 23, with heads apart.
std::optional<Core> core_of_operator(const Shapes& shapes, Node& node, AttentionMatch& match) {
  const Shadow* q = shapes.at(0, node.inputs[0]);
  const bool plain = node.inputs.size() <= 4 && node.int_attribute("is_causal", 0) == 0 &&
                     node.float_attribute("softcap", 0) == 0 && q != nullptr &&
                     q->dims.size() == 4 && node.outputs.size() == 1;
  if (!plain) return std::nullopt;
  Core core{node.inputs[0], node.inputs[1], node.inputs[2], false};
  const auto size = static_cast<double>(q->dims[3]);
  core.scale =
      static_cast<double>(node.float_attribute("scale", static_cast<float>(1 / std::sqrt(size))));
  core.context = node.outputs[0];
  core.context_maker = &node;
  if (node.inputs.size() < 4 || node.inputs[3].empty()) return core;
  const std::string& mask = node.inputs[3];
  const Shadow* shadow = shapes.at(0, mask);
  if (shadow == nullptr) return std::nullopt;
  const bool choice = shadow->type == DataType::kBool;
  const MaskEffect effect =
      choice ? effect_of_choice(shapes, mask, true, -INFINITY) : effect_of_addend(shapes, mask);
  return take_effect(effect, mask, false, match) ? std::optional(core) : std::nullopt;
}

/// True for the heads of `context`, side by side for each token.
bool is_joined(const Shapes& shapes, const std::string& context, const std::string& value,
               const AttentionMatch& match) {
  const auto shape = shapes.shape(value);
  const int64_t width = match.heads * match.head_size;
  if (shape != std::vector<int64_t>{kBatch, kSequence, width}) return false;
  const auto origin = shapes.origin(context, value);
  if (!origin) return false;
  const int64_t sequence = shapes.choice(0).sequence;
  for (size_t i = 0; i < origin->size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    const int64_t d = at % match.head_size;
    const int64_t h = at / match.head_size % match.heads;
    const int64_t s = at / width % sequence;
    const int64_t b = at / width / sequence;
    const int64_t expected = ((b * match.heads + h) * sequence + s) * match.head_size + d + 1;
    if ((*origin)[i] != static_cast<double>(expected)) return false;
  }
  return true;
}

/// The node after which the heads of `context` are side by side.
Node* find_last(const Editor& editor, const Shapes& shapes, const std::string& context,
                const AttentionMatch& match) {
  Names open = {context};
  for (size_t i = 0; i < open.size() && i < kSteps; ++i) {
    for (Node* user : editor.users(open[i])) {
      if (!moves_elements(*user) || user->inputs[0] != open[i]) continue;
      if (is_joined(shapes, context, user->outputs[0], match)) return user;
      open.push_back(user->outputs[0]);
    }
  }
  return nullptr;
}

}  // namespace

std::optional<AttentionMatch> match_attention(const Editor& editor, const Shapes& shapes,
                                              Node& center) {
  AttentionMatch match;
  std::optional<Core> core;
  if (is_op(center, "Softmax")) core = core_of_softmax(editor, shapes, center, match);
  if (is_op(center, "Attention")) core = core_of_operator(shapes, center, match);
  if (!core || !shapes.is_float(core->context)) return std::nullopt;
  const std::array<std::pair<std::string, bool>, 3> values = {
      {{core->q, false}, {core->k, core->k_transposed}, {core->v, false}}};
  double v_scale = 1;
  for (size_t i = 0; i < values.size(); ++i) {
    auto operand = trace_operand(editor, shapes, values[i].first, values[i].second, match,
                                 i < 2 ? core->scale : v_scale);
    if (!operand) return std::nullopt;
    match.operands[i] = std::move(*operand);
  }
  const bool rotary = match.operands[0].rotary.has_value();
  if (std::abs(v_scale - 1) > 1e-6 || match.operands[1].rotary.has_value() != rotary ||
      match.operands[2].rotary) {
    return std::nullopt;
  }
  match.scale = static_cast<float>(core->scale);
  match.last = find_last(editor, shapes, core->context, match);
  return match.last == nullptr ? std::nullopt : std::optional(match);
}

}  // namespace embedforge::passes
