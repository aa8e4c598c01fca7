#include "passes/shapes.h"

#include <numeric>
#include <set>

#include "embedforge/error.h"
#include "graph/tensor.h"

namespace embedforge::passes {
namespace {

constexpr int64_t kSmallConstant = 1 << 16;
/// The second length shows a window or a causal mask; models with fewer positions get a shorter
/// one.
constexpr std::array<Choice, 2> kChoices = {{{2, 5}, {3, 140}}};
constexpr int64_t kShort = 24;

bool is_integer_type(DataType type) {
  return type == DataType::kInt64 || type == DataType::kInt32 || type == DataType::kBool;
}

bool is_token_input(const ValueInfo& input) {
  return is_integer_type(input.type) && (!input.shape || input.shape->size() == 2);
}

/// Sizes for the dimensions: those of token inputs are the batch and the sequence, others each a
/// size of its own.
class Sizes {
 public:
  Sizes(const Graph& graph, Choice choice, size_t which) : choice_(choice), which_(which) {
    for (const ValueInfo& input : graph.inputs) {
      if (!is_token_input(input) || !input.shape) continue;
      name((*input.shape)[0], choice.batch);
      name((*input.shape)[1], choice.sequence);
    }
  }
  std::vector<int64_t> of(const ValueInfo& input) {
    if (!input.shape) return {choice_.batch, choice_.sequence};
    std::vector<int64_t> out;
    for (size_t i = 0; i < input.shape->size(); ++i) {
      const Dim& dim = (*input.shape)[i];
      if (const auto* fixed = std::get_if<int64_t>(&dim)) {
        out.push_back(*fixed);
      } else if (std::get<std::string>(dim).empty() && is_token_input(input)) {
        out.push_back(i == 0 ? choice_.batch : choice_.sequence);
      } else {
        const auto& key = std::get<std::string>(dim);
        const std::string own = key.empty() ? " " + input.name + std::to_string(i) : key;
        const auto next = static_cast<int64_t>((which_ == 0 ? 11 : 211) + 2 * sizes_.size());
        out.push_back(sizes_.try_emplace(own, next).first->second);
      }
    }
    return out;
  }

 private:
  void name(const Dim& dim, int64_t size) {
    const auto* text = std::get_if<std::string>(&dim);
    if (text != nullptr && !text->empty()) sizes_.try_emplace(*text, size);
  }
  Choice choice_;
  size_t which_;
  std::map<std::string, int64_t> sizes_;
};

std::string find_mask_input(const Graph& graph) {
  std::string found;
  for (const ValueInfo& input : graph.inputs) {
    const bool mask = input.name.find("mask") != std::string::npos;
    if (!mask || !is_token_input(input)) continue;
    if (!found.empty()) return "";
    found = input.name;
  }
  return found;
}

Tensor integers_as(DataType type, const std::vector<int64_t>& dims,
                   const std::vector<int64_t>& values) {
  if (type == DataType::kInt64) return Tensor::from_ints(dims, values);
  if (type == DataType::kInt32) {
    return Tensor::from(type, dims, std::vector<int32_t>(values.begin(), values.end()));
  }
  return Tensor::from(type, dims, std::vector<uint8_t>(values.begin(), values.end()));
}

void add_outputs(const Node& node, Shadows outputs, std::map<std::string, Shadow>& values) {
  for (size_t i = 0; i < node.outputs.size() && i < outputs.size(); ++i) {
    if (!outputs[i] || node.outputs[i].empty()) continue;
    values.insert_or_assign(node.outputs[i], std::move(*outputs[i]));
  }
}

}  // namespace

bool moves_elements(const Node& node) {
  static const std::set<std::string> kOps = {"Cast",     "Expand",  "Flatten",   "Gather",
                                             "Identity", "Reshape", "Slice",     "Split",
                                             "Squeeze",  "Dropout", "Transpose", "Unsqueeze"};
  return node.domain.empty() && kOps.contains(node.op_type);
}

Shapes::Shapes(const Editor& editor)
    : editor_(editor), choices_(kChoices), mask_input_(find_mask_input(editor.graph())) {
  follow(0);
  follow(1);
  if (knows_outputs()) return;
  choices_[1].sequence = kShort;
  follow(1);
}

bool Shapes::knows_outputs() const {
  for (const ValueInfo& output : editor_.graph().outputs) {
    if (at(0, output.name) != nullptr && at(1, output.name) == nullptr) return false;
  }
  return true;
}

void Shapes::follow(size_t choice) {
  const Graph& graph = editor_.graph();
  Values& values = values_[choice];
  values.clear();
  for (const auto& [name, tensor] : graph.initializers) {
    Shadow value{tensor.type, tensor.dims, std::nullopt};
    if (tensor.element_count() <= kSmallConstant) value.content = tensor;
    values.emplace(name, std::move(value));
  }
  Sizes sizes(graph, choices_[choice], choice);
  for (const ValueInfo& input : graph.inputs) {
    if (!input.shape && !is_integer_type(input.type)) continue;
    Shadow value{input.type, sizes.of(input), std::nullopt};
    const std::vector<int64_t> expected = {choices_[choice].batch, choices_[choice].sequence};
    if (input.name == mask_input_ && value.dims == expected) {
      value.content = integers_as(input.type, value.dims, mask(choice));
    } else if (input.name == mask_input_) {
      mask_input_.clear();
    }
    values.emplace(input.name, std::move(value));
  }
  for (const Node& node : graph.nodes) {
    Shadows inputs;
    for (const std::string& name : node.inputs) {
      const auto found = values.find(name);
      inputs.push_back(found == values.end() ? std::nullopt : std::optional(found->second));
    }
    try {
      add_outputs(node, infer_node(node, inputs, editor_.opset()), values);
    } catch (const Error&) {
      continue;  // these sizes don't suit the graph; what follows stays unknown
    }
  }
}

const Shadow* Shapes::at(size_t choice, const std::string& value) const {
  const auto found = values_[choice].find(value);
  return found == values_[choice].end() ? nullptr : &found->second;
}

std::optional<std::vector<int64_t>> Shapes::shape(const std::string& value) const {
  const Shadow* first = at(0, value);
  const Shadow* second = at(1, value);
  if (first == nullptr || second == nullptr || first->dims.size() != second->dims.size()) {
    return std::nullopt;
  }
  std::vector<int64_t> out;
  for (size_t i = 0; i < first->dims.size(); ++i) {
    const int64_t a = first->dims[i];
    const int64_t b = second->dims[i];
    if (a == b) {
      out.push_back(a);
    } else if (a == choices_[0].batch && b == choices_[1].batch) {
      out.push_back(kBatch);
    } else if (a == choices_[0].sequence && b == choices_[1].sequence) {
      out.push_back(kSequence);
    } else {
      return std::nullopt;
    }
  }
  return out;
}

bool Shapes::is_float(const std::string& value) const {
  const Shadow* shadow = at(0, value);
  return shadow != nullptr && shadow->type == DataType::kFloat;
}

bool Shapes::same_shape(const std::string& a, const std::string& b) const {
  for (size_t i = 0; i < kCount; ++i) {
    const Shadow* first = at(i, a);
    const Shadow* second = at(i, b);
    if (first == nullptr || second == nullptr || first->dims != second->dims) return false;
  }
  return true;
}

std::vector<int64_t> Shapes::mask(size_t choice) const {
  const auto [batch, sequence] = choices_[choice];
  std::vector<int64_t> out;
  for (int64_t row = 0; row < batch; ++row) {
    for (int64_t i = 0; i < sequence; ++i) {
      const bool token = row == 0 ? i < sequence * 3 / 5 : row == 1 || i % 3 == 1;
      out.push_back(token ? 1 : 0);
    }
  }
  return out;
}

std::optional<std::vector<double>> Shapes::origin(
    const std::string& from, const std::string& to,
    const std::map<std::string, std::string>& passes_through) const {
  static const std::set<std::string> kArithmetic = {"Concat", "Div", "Mul", "Neg"};
  const Shadow* source = at(0, from);
  if (source == nullptr) return std::nullopt;
  const int64_t count = checked_element_count(source->dims).value_or(0);
  if (count == 0 || count > kSmallConstant) return std::nullopt;
  std::vector<float> numbers(static_cast<size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 1.0F);
  Values known = {
      {from,
       {DataType::kFloat, source->dims, Tensor::from_floats(source->dims, std::move(numbers))}}};
  // Recursion through the nodes between, which are few.
  const auto find = [&](const auto& self, const std::string& value,
                        int depth) -> std::optional<Shadow> {
    const auto found = known.find(value);
    if (found != known.end()) return found->second;
    if (const Shadow* shadow = at(0, value); shadow != nullptr && shadow->content) return *shadow;
    const auto equal = passes_through.find(value);
    if (equal != passes_through.end()) return self(self, equal->second, depth - 1);
    const Node* node = editor_.maker(value);
    if (node == nullptr || depth == 0) return std::nullopt;
    const bool arithmetic = node->domain.empty() && kArithmetic.contains(node->op_type);
    if (!moves_elements(*node) && !arithmetic) return std::nullopt;
    Shadows inputs;
    for (const std::string& name : node->inputs) inputs.push_back(self(self, name, depth - 1));
    try {
      add_outputs(*node, infer_node(*node, inputs, editor_.opset()), known);
    } catch (const Error&) {
      return std::nullopt;
    }
    const auto made = known.find(value);
    return made == known.end() ? std::nullopt : std::optional(made->second);
  };
  constexpr int kDepth = 24;
  const auto result = find(find, to, kDepth);
  if (!result || !result->content) return std::nullopt;
  return to_doubles(*result->content);
}

}  // namespace embedforge::passes
