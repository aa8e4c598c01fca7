#include "passes/shapes.h"

#include <set>

#include "graph/infer_shapes.h"

namespace embedforge::passes {
namespace {

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

}  // namespace

Shapes::Shapes(const Editor& editor) : editor_(editor), choices_(kChoices) {
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
  Sizes sizes(graph, choices_[choice], choice);
  values_[choice] =
      follow_shapes(graph, [&](const ValueInfo& input) -> std::optional<std::vector<int64_t>> {
        if (!input.shape && !is_integer_type(input.type)) return std::nullopt;
        return sizes.of(input);
      });
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

}  // namespace embedforge::passes
