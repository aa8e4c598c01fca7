// LayerNormalization of the sum of word, position and segment rows -> EmbedLayerNormalization.
#include "passes/passes.h"
#include "passes/recognized.h"

namespace embedforge::passes {

using namespace recognize;

namespace {

/// Rows of a constant table.
struct Rows {
  std::string table;
  std::string indices;  // "" for the first rows, one a position
  IndexMeaning meaning;
};

struct Tables {
  std::optional<Rows> word;
  std::optional<Rows> position;
  std::optional<Rows> segment;
};

/// The positions are 0, 1, 2 .. in every sequence.
bool counts_from_zero(const Rows& position) {
  return position.meaning.offset == 0 && !position.meaning.among_tokens &&
         !position.meaning.padding_id;
}

std::optional<Rows> match_rows(const Editor& editor, const Recognized& recognized,
                               const std::string& value) {
  const Node* node = editor.maker(value);
  if (node == nullptr || node->inputs.empty()) return std::nullopt;
  const Tensor* table = editor.constant(node->inputs[0]);
  if (table == nullptr || table->dims.size() != 2 || table->type != DataType::kFloat) {
    return std::nullopt;
  }
  const auto* rows = recognized.get<Embedding>(value);
  if (is_op(*node, "Slice") && rows != nullptr) {
    return Rows{node->inputs[0], "", {IndexMeaning::Kind::kPosition, rows->tables[0].offset}};
  }
  if (!is_op(*node, "Gather") || node->int_attribute("axis", 0) != 0) return std::nullopt;
  const Known* indices = recognized.known(node->inputs[1]);
  if (indices == nullptr) return std::nullopt;
  const auto meaning = index_meaning(*indices, recognized.probes());
  return meaning ? std::optional(Rows{node->inputs[0], node->inputs[1], *meaning}) : std::nullopt;
}

/// The addends; empty when there are more than three or one isn't rows of a table.
std::vector<Rows> addends(const Editor& editor, const Recognized& recognized,
                          const std::string& value) {
  if (auto rows = match_rows(editor, recognized, value)) return {*rows};
  const Node* sum = editor.maker(value, "Add");
  if (sum == nullptr) return {};
  std::vector<Rows> out = addends(editor, recognized, sum->inputs[0]);
  const std::vector<Rows> second = addends(editor, recognized, sum->inputs[1]);
  if (out.empty() || second.empty() || out.size() + second.size() > 3) return {};
  out.insert(out.end(), second.begin(), second.end());
  return out;
}

/// Tells the tables apart by what indexes them.
std::optional<Tables> sort_out(const Recognized& recognized, const std::vector<Rows>& all) {
  using Kind = IndexMeaning::Kind;
  Tables out;
  for (const Rows& rows : all) {
    const bool full = recognized.shapes().shape(rows.indices) == std::vector{kBatch, kSequence};
    const Kind kind = rows.meaning.kind;
    if (!full && (kind != Kind::kPosition || !counts_from_zero(rows))) return std::nullopt;
    if (kind == Kind::kFixed && rows.meaning.offset != 0) return std::nullopt;
    std::optional<Rows>& place = kind == Kind::kTokenId    ? out.word
                                 : kind == Kind::kPosition ? out.position
                                                           : out.segment;
    if (place) return std::nullopt;
    place = rows;
  }
  return out.word && out.position ? std::optional(out) : std::nullopt;
}

std::string as_int32(Editor& editor, const Recognized& recognized, const std::string& value) {
  if (recognized.known(value)->at[0].type == DataType::kInt32) return value;
  return editor.insert(value + "_int32", "Cast", {value},
                       {{"to", static_cast<int64_t>(DataType::kInt32)}});
}

void fuse_embedding_at(Editor& editor, const Recognized& recognized, Node& node) {
  const auto norm = layer_norm_of(editor, recognized, node);
  if (!norm) return;
  const auto tables = sort_out(recognized, addends(editor, recognized, norm->input));
  if (!tables) return;
  const auto& [word, position, segment] = *tables;
  Names inputs = {as_int32(editor, recognized, word->indices),
                  segment ? as_int32(editor, recognized, segment->indices) : "",
                  word->table,
                  position->table,
                  segment ? segment->table : "",
                  norm->gamma,
                  norm->beta};
  if (!counts_from_zero(*position)) {
    inputs.insert(inputs.end(), {"", as_int32(editor, recognized, position->indices)});
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
