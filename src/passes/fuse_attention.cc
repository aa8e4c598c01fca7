// Attention written out (or opset 23's operator) -> com.microsoft's Attention with the projections
// of q, k and v in it; MultiHeadAttention, with RotaryEmbedding before it, where they can't be.
#include <algorithm>

#include "passes/attention_match.h"
#include "passes/columns.h"
#include "passes/passes.h"
#include "passes/projection.h"

namespace embedforge::passes {
namespace {

class Fusion {
 public:
  Fusion(Editor& editor, const Recognized& recognized) : editor_(editor), recognized_(recognized) {}

  void fuse(const AttentionMatch& match, Node& last) {
    if (!fuse_packed(match, last)) fuse_separate(match, last);
  }

 private:
  int64_t width(const AttentionMatch& match) const { return match.heads * match.head_size; }

  Attributes attributes(const AttentionMatch& match) const {
    Attributes out = {{"num_heads", match.heads}, {"scale", match.scale}};
    if (match.masked) out["mask_filter_value"] = match.masked_score;
    return out;
  }

  /// The graph's mask as both operators take it; "" for none.
  std::string mask(const AttentionMatch& match) {
    if (!match.masked) return "";
    const std::string& input = recognized_.mask_input();
    if (recognized_.known(input)->at[0].type == DataType::kInt32) return input;
    if (mask_.empty()) {
      mask_ = editor_.insert(input + "_int32", "Cast", {input},
                             {{"to", static_cast<int64_t>(DataType::kInt32)}});
    }
    return mask_;
  }

  static void drop_empty_end(Names& inputs) {
    while (inputs.back().empty()) inputs.pop_back();
  }

  /// Attention(input, weights, bias, mask_index, past, attention_bias)
  bool fuse_packed(const AttentionMatch& match, Node& last) {
    std::vector<Columns> weights;
    std::vector<Columns> biases;
    std::vector<Projection> projections;
    for (const Heads& operand : match.operands) {
      const auto projection = match_projection(editor_, operand.value);
      if (operand.turned || !projection) return false;
      if (!projections.empty() && projection->input != projections[0].input) return false;
      weights.push_back({projection->weights, operand.column, width(match)});
      biases.push_back({projection->biases, operand.column, width(match)});
      projections.push_back(*projection);
    }
    const auto shape = recognized_.shapes().shape(projections[0].input);
    if (!shape || shape->size() != 3) return false;
    Projection joined = projections[0];
    if (!is_joined_already(match)) {
      joined.weight =
          editor_.add_constant(joined.weight + "_qkv",
                               side_by_side(weights, DataType::kFloat, {joined.weights->dims[0]}));
      joined.bias.clear();
    }
    if (joined.bias.empty()) {
      joined.bias =
          editor_.add_constant(joined.weight + "_bias", side_by_side(biases, DataType::kFloat, {}));
    }
    Names inputs = {joined.input, joined.weight, joined.bias, mask(match), "", match.bias};
    drop_empty_end(inputs);
    editor_.rewrite(last, "Attention", inputs, attributes(match), kMicrosoft);
    return true;
  }

  bool is_joined_already(const AttentionMatch& match) const {
    for (size_t i = 0; i < match.operands.size(); ++i) {
      const Heads& operand = match.operands[i];
      if (operand.value != match.operands[0].value || operand.width != 3 * width(match) ||
          operand.column != static_cast<int64_t>(i) * width(match)) {
        return false;
      }
    }
    return true;
  }

  std::string columns_of(const Heads& operand, int64_t count) {
    if (operand.width == count) return operand.value;
    const auto list = [&](const std::string& name, int64_t value) {
      return editor_.add_constant(operand.value + name, Tensor::from_ints({1}, {value}));
    };
    return editor_.insert(operand.value + "_columns", "Slice",
                          {operand.value, list("_from", operand.column),
                           list("_to", operand.column + count), list("_axis", 2)});
  }

  /// The first half of each position's numbers, as RotaryEmbedding takes them: [sequence, size /
  /// 2].
  std::string half_table(const std::string& table, int64_t size) {
    std::string& found = tables_[table];
    if (!found.empty()) return found;
    const auto list = [&](const std::string& name, std::vector<int64_t> values) {
      const auto count = static_cast<int64_t>(values.size());
      return editor_.add_constant(table + name, Tensor::from_ints({count}, std::move(values)));
    };
    const std::string rows =
        editor_.insert(table + "_rows", "Reshape", {table, list("_shape", {-1, size})});
    found = editor_.insert(table + "_half", "Slice",
                           {rows, list("_from", {0}), list("_to", {size / 2}), list("_axis", {1})});
    return found;
  }

  std::string rotated(const Heads& operand, const std::string& value) {
    if (!operand.turned) return value;
    if (first_position_.empty()) {
      first_position_ = editor_.add_constant("first_position", Tensor::from_ints({1}, {0}));
    }
    const Turned& turned = *operand.turned;
    return editor_.insert(turned.value + "_rotary", "RotaryEmbedding",
                          {value, first_position_, half_table(turned.cos, turned.head_size),
                           half_table(turned.sin, turned.head_size)},
                          {{"interleaved", int64_t{0}}}, kMicrosoft);
  }

  /// MultiHeadAttention(query, key, value, bias, key_padding_mask, attention_bias)
  void fuse_separate(const AttentionMatch& match, Node& last) {
    Names inputs;
    for (const Heads& operand : match.operands) {
      inputs.push_back(rotated(operand, columns_of(operand, width(match))));
    }
    inputs.insert(inputs.end(), {"", mask(match), match.bias});
    drop_empty_end(inputs);
    editor_.rewrite(last, "MultiHeadAttention", inputs, attributes(match), kMicrosoft);
  }

  Editor& editor_;
  const Recognized& recognized_;
  std::string mask_;
  std::string first_position_;
  std::map<std::string, std::string> tables_;
};

}  // namespace

void fuse_attention(Graph& graph) {
  Editor editor(graph);
  const Recognized recognized(editor);
  Fusion fusion(editor, recognized);
  for (Node& node : graph.nodes) {
    const bool one = node.outputs.size() == 1;
    const auto* context = one ? recognized.get<recognize::Context>(node.outputs[0]) : nullptr;
    if (context == nullptr ||
        recognized.tokens_of(recognized.viewed(node.outputs[0])->of) != node.outputs[0])
      continue;
    if (!node.domain.empty()) continue;
    if (const auto match = match_attention(editor, recognized, *context)) fusion.fuse(*match, node);
  }
  editor.finish();
}

}  // namespace embedforge::passes
