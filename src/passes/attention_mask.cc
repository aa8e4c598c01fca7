#include "passes/attention_mask.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "graph/tensor.h"

namespace embedforge::passes {
namespace {

/// Scores this low have no weight after the softmax.
constexpr double kLow = -9000;

enum class Rule { kSame, kPadding, kOther };

/// Whether every element of a value that broadcasts to [batch, heads, sequence, sequence] is
/// `plain`-like (nothing happens), or so at tokens and `masked`-like at padding keys.
Rule compare(const Shapes& shapes, const std::string& value,
             const std::function<bool(double)>& plain, const std::function<bool(double)>& masked) {
  bool all_plain = true;
  bool padding = true;
  for (size_t choice = 0; choice < Shapes::kCount; ++choice) {
    const Shadow* shadow = shapes.at(choice, value);
    if (shadow == nullptr || !shadow->content || shadow->dims.size() > 4) return Rule::kOther;
    const auto [batch, sequence] = shapes.choice(choice);
    const std::vector<int64_t> mask = shapes.mask(choice);
    const std::vector<double> values = to_doubles(*shadow->content);
    std::vector<int64_t> dims = shadow->dims;
    dims.insert(dims.begin(), 4 - dims.size(), 1);
    const bool fits = (dims[0] == batch || dims[0] == 1) && dims[1] >= 1 &&
                      (dims[2] == sequence || dims[2] == 1) &&
                      (dims[3] == sequence || dims[3] == 1);
    if (!fits) return Rule::kOther;
    const int64_t rows = dims[1] * dims[2] * dims[3];
    for (size_t i = 0; i < values.size(); ++i) {
      const auto at = static_cast<int64_t>(i);
      all_plain = all_plain && plain(values[i]);
      if (dims[0] != batch || dims[3] != sequence) {
        padding = false;
        continue;
      }
      const bool token = mask[static_cast<size_t>(at / rows * sequence + at % sequence)] != 0;
      padding = padding && (token ? plain(values[i]) : masked(values[i]));
    }
  }
  return all_plain ? Rule::kSame : padding ? Rule::kPadding : Rule::kOther;
}

float lowest_of(const Shapes& shapes, const std::string& value) {
  const std::vector<double> values = to_doubles(*shapes.at(0, value)->content);
  const double least = *std::ranges::min_element(values);
  return static_cast<float>(
      std::max(least, static_cast<double>(std::numeric_limits<float>::lowest())));
}

/// Whether a query has no key left, or an infinitely good one. Exporters make zeros of such a row's
/// NaN; the fused operators don't. What isn't known counts as no.
bool has_row_without_weights(const Shapes& shapes, const std::string& value) {
  for (size_t choice = 0; choice < Shapes::kCount; ++choice) {
    const Shadow* shadow = shapes.at(choice, value);
    if (shadow == nullptr || !shadow->content || shadow->dims.empty()) continue;
    const std::vector<double> values = to_doubles(*shadow->content);
    const auto keys = shadow->dims.back();
    for (auto row = values.begin(); row != values.end(); row += keys) {
      const double most = *std::max_element(row, row + keys);
      if (!(most > kLow && most < std::numeric_limits<double>::infinity())) return true;
    }
  }
  return false;
}

/// [batch or 1, heads or 1, sequence, sequence] in float32
bool is_bias(const Shapes& shapes, const std::string& value) {
  const auto shape = shapes.shape(value);
  return shape && shape->size() == 4 && ((*shape)[0] == kBatch || (*shape)[0] == 1) &&
         (*shape)[1] >= 1 && (*shape)[2] == kSequence && (*shape)[3] == kSequence &&
         shapes.is_float(value) && !has_row_without_weights(shapes, value);
}

}  // namespace

MaskEffect effect_of_addend(const Shapes& shapes, const std::string& value) {
  using Kind = MaskEffect::Kind;
  const Rule rule = compare(
      shapes, value, [](double x) { return x == 0; }, [](double x) { return x <= kLow; });
  if (rule == Rule::kSame) return {Kind::kNone};
  if (rule == Rule::kPadding && !shapes.mask_input().empty()) {
    return {Kind::kPadding, lowest_of(shapes, value)};
  }
  return {is_bias(shapes, value) ? Kind::kBias : Kind::kOther};
}

MaskEffect effect_of_choice(const Shapes& shapes, const std::string& value, bool keep,
                            double other) {
  using Kind = MaskEffect::Kind;
  const auto keeps = [&](double x) { return (x != 0) == keep; };
  const Rule rule = compare(shapes, value, keeps, [&](double x) { return !keeps(x); });
  if (rule == Rule::kSame) return {Kind::kNone};
  if (rule != Rule::kPadding || shapes.mask_input().empty() || other > kLow) return {Kind::kOther};
  return {Kind::kPadding, static_cast<float>(std::max(
                              other, static_cast<double>(std::numeric_limits<float>::lowest())))};
}

}  // namespace embedforge::passes
