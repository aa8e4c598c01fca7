// Products of one value with several constant matrices become one product and a Split.
#include "passes/columns.h"
#include "passes/passes.h"
#include "passes/projection.h"

namespace embedforge::passes {
namespace {

struct Member {
  Node* last;  // the Add, or the MatMul where there is no bias
  Projection projection;
};

/// The product as far as only its bias is added to it.
Member member_of(const Editor& editor, Node& product) {
  const std::string& value = product.outputs[0];
  Node* last = &product;
  if (editor.use_count(value) == 1 && !editor.is_output(value)) {
    Node* user = editor.users(value).empty() ? nullptr : editor.users(value)[0];
    if (user != nullptr && is_op(*user, "Add")) {
      const auto biased = match_projection(editor, user->outputs[0]);
      if (biased && biased->weight == product.inputs[1]) return {user, *biased};
    }
  }
  return {last, *match_projection(editor, value)};
}

void join(Editor& editor, const std::vector<Member>& members) {
  std::vector<Columns> weights;
  std::vector<Columns> biases;
  std::vector<int64_t> sizes;
  bool any_bias = false;
  for (const auto& [last, projection] : members) {
    const int64_t width = projection.weights->dims[1];
    weights.push_back({projection.weights, 0, width});
    biases.push_back({projection.biases, 0, width});
    sizes.push_back(width);
    any_bias = any_bias || projection.biases != nullptr;
  }
  const Projection& first = members[0].projection;
  const std::string& hint = first.weight;
  const std::string weight = editor.add_constant(
      hint + "_joined", side_by_side(weights, DataType::kFloat, {first.weights->dims[0]}));
  std::string value = editor.insert(hint + "_product", "MatMul", {first.input, weight});
  if (any_bias) {
    const std::string bias =
        editor.add_constant(hint + "_bias", side_by_side(biases, DataType::kFloat, {}));
    value = editor.insert(hint + "_sum", "Add", {value, bias});
  }
  const auto count = static_cast<int64_t>(sizes.size());
  Names inputs = {value};
  Attributes attributes = {{"axis", int64_t{-1}}};
  if (editor.opset() >= 13) {
    inputs.push_back(editor.add_constant(hint + "_sizes", Tensor::from_ints({count}, sizes)));
  } else {
    attributes["split"] = sizes;
  }
  // The first member becomes the Split, which takes over the outputs of the others.
  Node& split = *members[0].last;
  editor.rewrite(split, "Split", inputs, attributes);
  for (size_t i = 1; i < members.size(); ++i) editor.move_output(*members[i].last, split, i);
}

}  // namespace

void join_projections(Graph& graph) {
  Editor editor(graph);
  std::map<std::string, std::vector<Member>> by_input;
  for (Node& node : graph.nodes) {
    if (!is_op(node, "MatMul") || !match_projection(editor, node.outputs[0])) continue;
    // Outlier channels of an integer product, a few columns of its input, stay beside it.
    if (editor.maker(node.inputs[0], "Gather") != nullptr) continue;
    by_input[node.inputs[0]].push_back(member_of(editor, node));
  }
  for (const auto& [input, members] : by_input) {
    if (members.size() > 1 && editor.constant(input) == nullptr) join(editor, members);
  }
  editor.finish();
}

}  // namespace embedforge::passes
