#include "passes/recognized.h"

#include <algorithm>
#include <limits>

#include "graph/tensor.h"
#include "recognize/recognize.h"
#include "recognize/view.h"

namespace embedforge::passes {

using namespace recognize;

namespace {

/// Of a value that stands for itself: sizes that are neither the batch's nor the sequence's are
/// columns, but for a fixed size in place of the sequence.
std::optional<View> view_of(const Shapes& shapes, const std::string& value) {
  const auto shape = shapes.shape(value);
  if (!shape || !is_float_type(shapes.at(0, value)->type)) return std::nullopt;
  const bool of_tokens = std::ranges::find(*shape, kSequence) != shape->end();
  View out;
  int64_t stride = 1;
  for (size_t i = shape->size(); i-- > 0;) {
    const int64_t size = (*shape)[i];
    if (size == kBatch || size == kSequence) {
      out.axes.push_back(size == kBatch ? batch_axis() : sequence_axis());
    } else if (!of_tokens && i + 1 < shape->size()) {
      out.axes.push_back({{Atom::Kind::kRow, size, 1}});
    } else {
      out.axes.push_back(column_axis(size, stride));
      stride *= size;
    }
  }
  std::ranges::reverse(out.axes);
  return out;
}

/// The fewest positions that a table has rows for; as many as there are for none.
int64_t positions_of(const std::map<std::string, Form>& forms) {
  int64_t out = std::numeric_limits<int64_t>::max();
  for (const auto& [name, form] : forms) {
    const auto* value = std::get_if<Viewed>(&form);
    const auto* rows = value == nullptr ? nullptr : value->of->get<Embedding>();
    if (rows == nullptr) continue;
    for (const EmbeddingTable& table : rows->tables) {
      if (table.source != EmbeddingTable::Source::kPosition) continue;
      out = std::min(out, table.rows.dims[0] - table.offset);
    }
  }
  return out;
}

/// A constant [width].
bool is_row(const Editor& editor, const std::string& value, int64_t width) {
  const Tensor* tensor = editor.constant(value);
  return tensor != nullptr && tensor->dims == std::vector<int64_t>{width};
}

bool all(const std::vector<float>& values, float expected) {
  return std::ranges::all_of(values, [&](float value) { return value == expected; });
}

bool uses_only_first(const Editor& editor, const Node& node) {
  return std::all_of(node.outputs.begin() + 1, node.outputs.end(),
                     [&](const std::string& output) { return editor.use_count(output) == 0; });
}

}  // namespace

Recognized::Recognized(const Editor& editor) : shapes_(editor) {
  const auto follow = [&](int64_t longest) {
    probes_ = make_probes(longest, longest * 3 / 5,  // so that windows leave padding without keys
                          possible_padding_ids(editor.graph()));
    forms_ = recognize_all(editor.graph(), probes_,
                           [&](const std::string& value) { return view_of(shapes_, value); });
  };
  follow(shapes_.longest());
  const int64_t positions = positions_of(forms_);
  if (positions < shapes_.longest()) follow(positions);
  const auto add = [&](const std::string& value) {
    if (const Viewed* made = viewed(value)) values_[made->of.get()].push_back(value);
  };
  bool several = false;
  for (const ValueInfo& input : editor.graph().inputs) {
    add(input.name);
    if (known(input.name) == nullptr || likely_role(input) != InputRole::kMask) continue;
    several = !mask_input_.empty();
    mask_input_ = input.name;
  }
  if (several) mask_input_.clear();
  for (const Node& node : editor.graph().nodes) std::ranges::for_each(node.outputs, add);
}

const Viewed* Recognized::viewed(const std::string& value) const {
  const auto found = forms_.find(value);
  return found == forms_.end() ? nullptr : std::get_if<Viewed>(&found->second);
}

const Known* Recognized::known(const std::string& value) const {
  const auto found = forms_.find(value);
  return found == forms_.end() ? nullptr : std::get_if<Known>(&found->second);
}

std::string Recognized::value_of(const Ref& of, const View& view) const {
  const auto found = values_.find(of.get());
  if (found == values_.end()) return "";
  for (const std::string& value : found->second) {
    const View& own = viewed(value)->view;
    if (own.column == view.column && own.axes == view.axes) return value;
  }
  return "";
}

std::string Recognized::tokens_of(const Ref& of) const {
  const std::string out = value_of(of, token_view(of->width));
  return shapes_.is_float(out) ? out : "";
}

std::string Recognized::first_of(const Ref& of) const {
  const auto found = values_.find(of.get());
  return found == values_.end() ? "" : found->second[0];
}

std::optional<Names> biased(const Editor& editor, const Shapes& shapes, const std::string& value) {
  const Node* sum = editor.maker(value, "Add");
  const Shadow* made = shapes.at(0, value);
  if (sum == nullptr || made == nullptr || made->dims.empty()) return std::nullopt;
  for (size_t i = 0; i < 2; ++i) {
    if (!is_row(editor, sum->inputs[i], made->dims.back())) continue;
    if (shapes.same_shape(sum->inputs[1 - i], value)) {
      return Names{sum->inputs[1 - i], sum->inputs[i]};
    }
  }
  return std::nullopt;
}

std::optional<Gelu> gelu_of(const Recognized& recognized, const std::string& value) {
  constexpr double kTolerance = 1e-5;  // other numbers shall not come of another way to write it
  const auto* map = recognized.get<Map>(value);
  if (map == nullptr) return std::nullopt;
  const auto activation = as_activation(map->values, kTolerance);
  const std::string input = recognized.value_of(map->in, recognized.viewed(value)->view);
  const bool tanh = activation == Activation::kGeluTanh;
  if (input.empty() || (!tanh && activation != Activation::kGelu)) return std::nullopt;
  return Gelu{input, tanh};
}

std::optional<LayerNorm> layer_norm_of(const Editor& editor, const Recognized& recognized,
                                       const Node& node) {
  const bool one = is_op(node, "LayerNormalization");
  if (!one && !is_op(node, "Add")) return std::nullopt;
  const Shadow* made = recognized.shapes().at(0, node.outputs[0]);
  if (made == nullptr || made->type != DataType::kFloat || made->dims.empty()) return std::nullopt;
  const int64_t width = made->dims.back();
  const int64_t axis = node.int_attribute("axis", -1);
  if (one && (axis == -1 || axis + 1 == static_cast<int64_t>(made->dims.size()))) {
    LayerNorm out{node.inputs[0], node.inputs[1], "", node.float_attribute("epsilon", 1e-5F)};
    if (node.inputs.size() == 3) out.beta = node.inputs[2];
    const bool fits = is_row(editor, out.gamma, width) && is_row(editor, out.beta, width) &&
                      out.epsilon >= 0;  // which the fused operators need
    return fits && uses_only_first(editor, node) ? std::optional(out) : std::nullopt;
  }
  if (one) return std::nullopt;
  for (size_t i = 0; i < 2; ++i) {
    const Node* scaled = editor.maker(node.inputs[1 - i], "Mul");
    if (scaled == nullptr || !is_row(editor, node.inputs[i], width)) continue;
    for (size_t j = 0; j < 2; ++j) {
      const auto* norm = recognized.get<Norm>(scaled->inputs[1 - j]);
      if (norm == nullptr || norm->kind != NormKind::kLayerNorm || norm->group != 0 ||
          !all(norm->gamma, 1) || !all(norm->beta, 0) ||
          !is_row(editor, scaled->inputs[j], width)) {
        continue;
      }
      const View& view = recognized.viewed(scaled->inputs[1 - j])->view;
      const std::string input = recognized.value_of(norm->in, view);
      if (!input.empty()) return LayerNorm{input, scaled->inputs[j], node.inputs[i], norm->epsilon};
    }
  }
  return std::nullopt;
}

}  // namespace embedforge::passes
