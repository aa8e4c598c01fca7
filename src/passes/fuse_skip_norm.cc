// LayerNormalization of a sum of two values of the tokens (and of the bias of one) ->
// SkipLayerNormalization; a sum that others need is its fourth output.
#include "passes/passes.h"
#include "passes/recognized.h"

namespace embedforge::passes {
namespace {

/// x + bias that only one node needs, apart; the value itself and "" otherwise.
Names split_bias(const Editor& editor, const Shapes& shapes, const std::string& value) {
  const Names whole = {value, ""};
  return editor.use_count(value) == 1 ? biased(editor, shapes, value).value_or(whole) : whole;
}

bool is_token_value(const Shapes& shapes, const std::string& value) {
  const auto shape = shapes.shape(value);
  return shape && shape->size() == 3 && (*shape)[0] == kBatch && (*shape)[1] == kSequence &&
         shapes.is_float(value);
}

void fuse_skip_norm_at(Editor& editor, const Recognized& recognized, Node& node) {
  const auto norm = layer_norm_of(editor, recognized, node);
  if (!norm) return;
  const Shapes& shapes = recognized.shapes();
  Node* sum = editor.maker(norm->input, "Add");
  if (sum == nullptr || editor.constant(sum->inputs[0]) != nullptr ||
      editor.constant(sum->inputs[1]) != nullptr) {
    return;
  }
  for (const std::string& input : {sum->inputs[0], sum->inputs[1], norm->input}) {
    if (!is_token_value(shapes, input)) return;
  }
  Names first = split_bias(editor, shapes, sum->inputs[0]);
  Names second = split_bias(editor, shapes, sum->inputs[1]);
  if (first[1].empty()) std::swap(first, second);
  if (!first[1].empty() && !second[1].empty()) second = {sum->inputs[1], ""};
  Names inputs = {first[0], second[0], norm->gamma, norm->beta};
  if (!first[1].empty()) inputs.push_back(first[1]);
  const bool needed = !editor.only_used_by(norm->input, editor.nodes_between(norm->input, node));
  editor.rewrite(node, "SkipLayerNormalization", inputs, {{"epsilon", norm->epsilon}}, kMicrosoft);
  if (needed) editor.move_output(*sum, node, 3);
}

}  // namespace

void fuse_skip_norm(Graph& graph) {
  Editor editor(graph);
  const Recognized recognized(editor);
  for (Node& node : graph.nodes) fuse_skip_norm_at(editor, recognized, node);
  editor.finish();
}

}  // namespace embedforge::passes
