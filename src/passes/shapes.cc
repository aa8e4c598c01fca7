#include "passes/shapes.h"

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

/// The name of an input's dimension, or one that no other has.
std::string key_of(const ValueInfo& input, size_t i) {
  const auto* name = std::get_if<std::string>(&(*input.shape)[i]);
  return name != nullptr && !name->empty() ? *name : " " + input.name + std::to_string(i);
}

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
  const auto [batch, sequence] = choices_[choice];
  // Those of token inputs are the batch and the sequence, others each a size of its own.
  std::map<std::string, int64_t> sizes;
  for (const ValueInfo& input : editor_.graph().inputs) {
    if (!is_token_input(input) || !input.shape) continue;
    sizes.try_emplace(key_of(input, 0), batch);
    sizes.try_emplace(key_of(input, 1), sequence);
  }
  using Dims = std::vector<int64_t>;
  const auto dims_of = [&](const ValueInfo& input) -> std::optional<Dims> {
    if (!input.shape && !is_integer_type(input.type)) return std::nullopt;
    if (!input.shape) return Dims{batch, sequence};
    Dims out;
    for (const Dim& dim : *input.shape) {
      const auto next = static_cast<int64_t>((choice == 0 ? 11 : 211) + 2 * sizes.size());
      const auto* fixed = std::get_if<int64_t>(&dim);
      out.push_back(fixed != nullptr
                        ? *fixed
                        : sizes.try_emplace(key_of(input, out.size()), next).first->second);
    }
    return out;
  };
  values_[choice] = follow_shapes(editor_.graph(), dims_of);
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
