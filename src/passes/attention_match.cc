#include "passes/attention_match.h"

#include <algorithm>
#include <limits>

#include "graph/tensor.h"
#include "recognize/mask_effect.h"

namespace embedforge::passes {

using namespace recognize;

namespace {

/// Whether a query has no key left, or an infinitely good one. Exporters make zeros of such a row's
/// NaN; the fused operators don't.
bool has_row_without_weights(const Known& bias) {
  for (const Tensor& each : bias.at) {
    const std::vector<double> values = to_doubles(each);
    for (auto row = values.begin(); row != values.end(); row += each.dims.back()) {
      const double most = *std::max_element(row, row + each.dims.back());
      if (!(most > kVeryNegative && most < std::numeric_limits<double>::infinity())) return true;
    }
  }
  return false;
}

/// [batch or 1, heads or 1, sequence, sequence] in float32
bool is_bias(const Recognized& recognized, const std::string& value) {
  const auto shape = recognized.shapes().shape(value);
  const Known* known = recognized.known(value);
  return shape && shape->size() == 4 && ((*shape)[0] == kBatch || (*shape)[0] == 1) &&
         (*shape)[1] >= 1 && (*shape)[2] == kSequence && (*shape)[3] == kSequence &&
         recognized.shapes().is_float(value) &&
         (known == nullptr || !has_row_without_weights(*known));
}

/// False where the fused operators have no such mask.
bool take_maskings(const Recognized& recognized, const Scores& scores, AttentionMatch& match) {
  for (const Masking& each : scores.maskings) {
    if (each.kind == Masking::Kind::kNothing) continue;
    if (each.kind == Masking::Kind::kPadding && !recognized.mask_input().empty()) {
      match.masked = true;
      match.masked_score = static_cast<float>(
          std::max(each.low, static_cast<double>(std::numeric_limits<float>::lowest())));
      continue;
    }
    if (!each.added || each.scale != 1 || !match.bias.empty()) return false;
    if (!is_bias(recognized, each.value)) return false;
    match.bias = each.value;
  }
  return true;
}

/// Numbers by position, the same for each sequence and head: [.., sequence, .., head_size] with 1
/// elsewhere.
bool is_table(const Recognized& recognized, const std::string& value, int64_t head_size) {
  const auto shape = recognized.shapes().shape(value);
  const auto* rows = recognized.get<Embedding>(value);
  if (!shape || (recognized.known(value) == nullptr && rows == nullptr)) return false;
  return shape->back() == head_size && std::ranges::count(*shape, kSequence) == 1 &&
         std::ranges::count(*shape, 1) + 2 == static_cast<int64_t>(shape->size());
}

/// x * cos + rotate_half(x) * sin as it is written.
std::optional<Turned> tables_of(const Editor& editor, const Recognized& recognized,
                                const Rotated& rotated) {
  Turned out{rotated.written == nullptr ? "" : recognized.first_of(rotated.written)};
  out.head_size = rotated.head_size;
  const Node* sum = editor.maker(out.value);
  while (sum != nullptr && (is_op(*sum, "Mul") || is_op(*sum, "Div"))) {  // by what scales scores
    out.value = sum->inputs[editor.scalar(sum->inputs[0]) ? 1 : 0];
    sum = editor.maker(out.value);
  }
  const auto size = static_cast<int64_t>(2 * rotated.rotary.frequencies.size());
  if (sum == nullptr || !is_op(*sum, "Add") || size != out.head_size ||
      rotated.rotary.interleaved) {
    return std::nullopt;
  }
  for (const std::string& input : sum->inputs) {
    const Node* term = editor.maker(input, "Mul");
    for (size_t i = 0; term != nullptr && i < 2; ++i) {
      if (!is_table(recognized, term->inputs[i], size)) continue;
      const bool plain = recognized.get<Mix>(term->inputs[1 - i]) == nullptr;
      (plain ? out.cos : out.sin) = term->inputs[i];
    }
  }
  return out.cos.empty() || out.sin.empty() ? std::nullopt : std::optional(out);
}

std::optional<Heads> heads_of(const Editor& editor, const Recognized& recognized, Part part) {
  Heads out;
  if (const auto* rotated = part.of->get<Rotated>()) {
    out.turned = tables_of(editor, recognized, *rotated);
    if (!out.turned) return std::nullopt;
    part = {rotated->in.of, rotated->in.column + part.column};
  }
  out.value = recognized.tokens_of(part.of);
  out.column = part.column;
  out.width = part.of->width;
  return out.value.empty() ? std::nullopt : std::optional(out);
}

}  // namespace

std::optional<AttentionMatch> match_attention(const Editor& editor, const Recognized& recognized,
                                              const Context& context) {
  const Scores& scores = context.scores;
  AttentionMatch out;
  out.heads = scores.heads;
  out.head_size = scores.head_size;
  out.scale = static_cast<float>(scores.scale);
  if (scores.kv_heads != scores.heads || !take_maskings(recognized, scores, out)) {
    return std::nullopt;
  }
  const std::array<const Part*, 3> parts = {&scores.q, &scores.k, &context.v};
  for (size_t i = 0; i < parts.size(); ++i) {
    auto heads = heads_of(editor, recognized, *parts[i]);
    if (!heads) return std::nullopt;
    out.operands[i] = std::move(*heads);
  }
  const bool turned = out.operands[0].turned.has_value();
  const bool fits = out.operands[1].turned.has_value() == turned && !out.operands[2].turned;
  return fits ? std::optional(out) : std::nullopt;
}

}  // namespace embedforge::passes
