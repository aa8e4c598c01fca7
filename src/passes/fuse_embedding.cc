// LayerNormalization of the sum of word, position and segment rows -> EmbedLayerNormalization.
#include <algorithm>

#include "graph/tensor.h"
#include "passes/passes.h"
#include "passes/recognized.h"

namespace embedforge::passes {
namespace {

/// Rows of a constant table.
struct Rows {
  std::string table;
  std::string indices;  // "" for the first rows, one a position
  int64_t count = 0;
};

struct Embedding {
  std::optional<Rows> word;
  std::optional<Rows> position;
  std::optional<Rows> segment;
  bool counts_from_zero = false;  // the positions are 0, 1, 2 .. in every sequence
};

/// A constant [rows, width], or nullptr.
const Tensor* table_of(const Editor& editor, const std::string& value) {
  const Tensor* table = editor.constant(value);
  const bool fits = table != nullptr && table->dims.size() == 2 && table->type == DataType::kFloat;
  return fits ? table : nullptr;
}

/// The first rows of a table, as many as the sequence is long.
bool takes_first_rows(const Editor& editor, const Shapes& shapes, const Node& slice) {
  const auto is = [&](size_t i, int64_t value) {
    return editor.integers(slice.inputs[i]) == std::vector<int64_t>{value};
  };
  const auto shape = shapes.shape(slice.outputs[0]);
  return slice.inputs.size() >= 4 && is(1, 0) && is(3, 0) &&
         (slice.inputs.size() == 4 || is(4, 1)) && shape && shape->size() == 2 &&
         (*shape)[0] == kSequence;
}

std::optional<Rows> match_rows(const Editor& editor, const Shapes& shapes,
                               const std::string& value) {
  const Node* node = editor.maker(value);
  if (node == nullptr || node->inputs.empty()) return std::nullopt;
  const Tensor* table = table_of(editor, node->inputs[0]);
  if (table == nullptr) return std::nullopt;
  if (is_op(*node, "Slice") && takes_first_rows(editor, shapes, *node)) {
    return Rows{node->inputs[0], "", table->dims[0]};
  }
  if (!is_op(*node, "Gather") || node->int_attribute("axis", 0) != 0) return std::nullopt;
  return Rows{node->inputs[0], node->inputs[1], table->dims[0]};
}

/// The addends; empty when there are more than three or one isn't rows of a table.
std::vector<Rows> addends(const Editor& editor, const Shapes& shapes, const std::string& value) {
  if (auto rows = match_rows(editor, shapes, value)) return {*rows};
  const Node* sum = editor.maker(value, "Add");
  if (sum == nullptr) return {};
  std::vector<Rows> out = addends(editor, shapes, sum->inputs[0]);
  const std::vector<Rows> second = addends(editor, shapes, sum->inputs[1]);
  if (out.empty() || second.empty() || out.size() + second.size() > 3) return {};
  out.insert(out.end(), second.begin(), second.end());
  return out;
}

/// The graph input that the value is, but for its integer type; "" for others.
std::string graph_input(const Editor& editor, const std::string& value) {
  if (const Node* cast = editor.maker(value, "Cast")) return graph_input(editor, cast->inputs[0]);
  const auto& inputs = editor.graph().inputs;
  const bool found =
      std::ranges::any_of(inputs, [&](const ValueInfo& input) { return input.name == value; });
  return found ? value : "";
}

/// True when element [.., i] is expected(i) for both choices of sizes.
template <typename Expected>
bool has_content(const Shapes& shapes, const std::string& value, Expected expected) {
  for (size_t choice = 0; choice < Shapes::kCount; ++choice) {
    const Shadow* shadow = shapes.at(choice, value);
    if (shadow == nullptr || !shadow->content || shadow->dims.empty()) return false;
    const int64_t width = shadow->dims.back();
    if (width != shapes.choice(choice).sequence) return false;
    const std::vector<int64_t> values = to_ints(*shadow->content);
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i] != expected(static_cast<int64_t>(i) % width)) return false;
    }
  }
  return true;
}

/// Zeros, moved about by whatever indices.
bool is_zeros(const Editor& editor, const std::string& value) {
  if (const Tensor* tensor = editor.constant(value)) {
    return std::ranges::all_of(tensor->bytes, [](std::byte each) { return each == std::byte{0}; });
  }
  const Node* node = editor.maker(value);
  const bool moves = node != nullptr && (moves_elements(*node) || is_op(*node, "GatherElements"));
  return moves && is_zeros(editor, node->inputs[0]);
}

bool has_shape(const Shapes& shapes, const std::string& value,
               const std::vector<int64_t>& expected) {
  return shapes.shape(value) == expected;
}

/// Tells the tables apart by what indexes them.
std::optional<Embedding> sort_out(const Editor& editor, const Shapes& shapes,
                                  const std::vector<Rows>& all) {
  Embedding out;
  for (const Rows& rows : all) {
    const std::string input = graph_input(editor, rows.indices);
    const bool full = has_shape(shapes, rows.indices, {kBatch, kSequence});
    const bool from_zero =
        rows.indices.empty() || has_content(shapes, rows.indices, [](int64_t i) { return i; });
    const bool zero = is_zeros(editor, rows.indices) ||
                      has_content(shapes, rows.indices, [](int64_t) { return int64_t{0}; });
    std::optional<Rows>* place = nullptr;
    if (!input.empty() && full) {
      place = &out.word;
      if (out.word && out.word->count < rows.count) std::swap(out.word, out.segment);
      if (out.word) place = &out.segment;
    } else if (zero && full) {
      place = &out.segment;
    } else if (from_zero || full) {
      place = &out.position;
      out.counts_from_zero = from_zero;
    }
    if (place == nullptr || *place) return std::nullopt;
    *place = rows;
  }
  if (!out.word || !out.position) return std::nullopt;
  return out;
}

std::string as_int32(Editor& editor, const Shapes& shapes, const std::string& value) {
  const Shadow* shadow = shapes.at(0, value);
  if (shadow->type == DataType::kInt32) return value;
  return editor.insert(value + "_int32", "Cast", {value},
                       {{"to", static_cast<int64_t>(DataType::kInt32)}});
}

void fuse_embedding_at(Editor& editor, const Recognized& recognized, Node& node) {
  const auto norm = layer_norm_of(editor, recognized, node);
  if (!norm) return;
  const Shapes& shapes = recognized.shapes();
  const auto embedding = sort_out(editor, shapes, addends(editor, shapes, norm->input));
  if (!embedding) return;
  const auto& [word, position, segment, counts_from_zero] = *embedding;
  Names inputs = {as_int32(editor, shapes, word->indices),
                  segment ? as_int32(editor, shapes, segment->indices) : "",
                  word->table,
                  position->table,
                  segment ? segment->table : "",
                  norm->gamma,
                  norm->beta};
  if (!counts_from_zero) {
    inputs.insert(inputs.end(), {"", as_int32(editor, shapes, position->indices)});
  }
  const std::string lengths = editor.fresh(node.outputs[0] + "_lengths");
  editor.rewrite(node, "EmbedLayerNormalization", inputs, {{"epsilon", norm->epsilon}}, kMicrosoft);
  node.outputs.push_back(lengths);  // mask_index, which the operator requires
}

}  // namespace

void fuse_embedding(Graph& graph) {
  Editor editor(graph);
  const Recognized recognized(editor);
  for (Node& node : graph.nodes) fuse_embedding_at(editor, recognized, node);
  editor.finish();
}

}  // namespace embedforge::passes
