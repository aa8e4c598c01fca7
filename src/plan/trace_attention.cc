// Attention written out: q k^T, scale, mask, softmax, times v.
#include "plan/trace.h"

namespace embedforge::raising {
namespace {

using Kind = Atom::Kind;

/// The batch and head axes in front of the last two; nullopt when there is more.
struct Leading {
  int64_t heads = 1;
  int64_t stride = 0;  // between heads; 0 when there is one
};

std::optional<Leading> leading(const View& view) {
  std::vector<Atom> atoms;
  for (size_t i = 0; i + 2 < view.axes.size(); ++i) {
    atoms.insert(atoms.end(), view.axes[i].begin(), view.axes[i].end());
  }
  if (atoms.empty() || atoms.size() > 2 || atoms[0].kind != Kind::kBatch) return std::nullopt;
  if (atoms.size() == 1) return Leading{};
  if (atoms[1].kind != Kind::kColumn) return std::nullopt;
  return Leading{atoms[1].size, atoms[1].stride};
}

/// The same axes with another distance between heads.
std::vector<Axis> with_head_stride(const View& view, int64_t stride) {
  std::vector<Axis> out(view.axes.begin(), view.axes.end() - 2);
  for (Axis& axis : out) {
    for (Atom& atom : axis) {
      if (atom.kind == Kind::kColumn) atom.stride = stride;
    }
  }
  return out;
}

/// The operand and what it was scaled by.
Operand unscaled(const Call& call, const Viewed& value, double* scale) {
  const MapOf map = as_map(value.of);
  const auto factor = as_factor(map.values);
  if (!factor) call.refuse("attends with something that an activation was applied to");
  *scale *= *factor;
  return {map.in, value.view.column};
}

Form scores_of(const Call& call, const Viewed& q, const Viewed& k, double scale) {
  const auto lead_q = leading(q.view);
  const auto lead_k = leading(k.view);
  const size_t rank = q.view.axes.size();
  if (!lead_q || !lead_k || k.view.axes.size() != rank) {
    call.refuse("multiplies two values of the tokens, but not as heads of attention");
  }
  const auto size = column_size(q.view.axes[rank - 1]);
  const bool fits =
      size && lead_q->heads == lead_k->heads && q.view.axes[rank - 2] == sequence_axis() &&
      k.view.axes[rank - 1] == sequence_axis() && q.view.axes[rank - 1] == column_axis(*size) &&
      k.view.axes[rank - 2] == column_axis(*size);
  if (!fits) call.refuse("multiplies two values of the tokens, but not as q and k of attention");
  for (const auto& lead : {lead_q, lead_k}) {
    if (lead->heads > 1 && lead->stride != *size)
      call.refuse("has heads that are not side by side");
  }
  Scores out;
  out.scale = scale;
  out.q = unscaled(call, q, &out.scale);
  out.k = unscaled(call, k, &out.scale);
  out.heads = lead_q->heads;
  out.head_size = *size;
  View view{with_head_stride(q.view, 1), 0};
  view.axes.push_back(sequence_axis());
  view.axes.push_back({{Kind::kKey, 1, 1}});
  const Ref made = make(call, out, out.heads, {out.q.of, out.k.of});
  return Viewed{made, std::move(view)};
}

Form context_of(const Call& call, const Viewed& weights, const Viewed& v) {
  const auto& scores = weights.of->get<Softmax>()->scores;
  const auto lead = leading(v.view);
  const size_t rank = v.view.axes.size();
  const bool fits = lead && weights.view.axes.size() == rank && lead->heads == scores.heads &&
                    v.view.axes[rank - 2] == sequence_axis() &&
                    v.view.axes[rank - 1] == column_axis(scores.head_size) &&
                    (lead->heads == 1 || lead->stride == scores.head_size) &&
                    with_head_stride(weights.view, 1) == with_head_stride(v.view, 1);
  if (!fits) call.refuse("multiplies attention by something that doesn't lie like v");
  double scale = 1;
  Context out{scores, unscaled(call, v, &scale)};
  if (scale != 1) call.refuse("scales v");
  View view{with_head_stride(v.view, scores.head_size), 0};
  view.axes.push_back(sequence_axis());
  view.axes.push_back(column_axis(scores.head_size));
  const int64_t width = scores.heads * scores.head_size;
  return Viewed{make(call, out, width, {out.scores.q.of, out.scores.k.of, out.v.of}), view};
}

Forms softmax(const Call& call) {
  if (call.viewed(0) == nullptr) return {};
  const Viewed in = without_rounding(*call.viewed(0));
  const auto* scores = in.of->get<Scores>();
  if (scores == nullptr) call.refuse("is applied to something other than attention scores");
  const size_t rank = in.view.axes.size();
  const int64_t axis = call.node().int_attribute("axis", call.opset() >= 13 ? -1 : 1);
  const bool by_key = in.view.axes.back() == Axis{{Kind::kKey, 1, 1}};
  if (call.axis(axis, rank) + 1 != rank || !by_key) call.refuse("is not over the keys");
  if (!scores->masked && call.has_mask_input()) {
    call.refuse("attends to padding: no mask was applied to the scores");
  }
  return {
      Viewed{make(call, Softmax{*scores}, in.of->width, {scores->q.of, scores->k.of}), in.view}};
}

Forms is_nan(const Call& call) {
  if (call.viewed(0) == nullptr) return {};
  const Viewed in = without_rounding(*call.viewed(0));
  if (in.of->get<Softmax>() == nullptr) call.refuse("tests something other than attention");
  return {Viewed{make(call, NanTest{in.of}, in.of->width, {in.of}), in.view}};
}

Forms where(const Call& call) {
  const Viewed* condition = call.viewed(0);
  if (condition != nullptr) {  // a guard for rows that are all padding, which don't exist here
    const auto* test = condition->of->get<NanTest>();
    const Viewed* kept = call.viewed(2);
    if (test == nullptr || kept == nullptr || kept->of != test->in || call.scalar(1) != 0.0) {
      call.refuse("chooses by the tokens' values");
    }
    return {*kept};
  }
  const bool keeps_if_true = call.viewed(1) != nullptr;
  if (!keeps_if_true && call.viewed(2) == nullptr) return {};
  const size_t kept = keeps_if_true ? 1 : 2;
  const Viewed in = without_rounding(*call.viewed(kept));
  const auto other = call.scalar(3 - kept);
  const auto mask = call.known_or_constant(0);
  if (!other || !mask) call.refuse("chooses between two values of the tokens");
  if (in.of->get<Scores>() == nullptr)
    return {fill_padding(call, in, *mask, keeps_if_true, *other)};
  if (*other > -9000) call.refuse("masks scores with something that isn't very negative");
  return {mask_scores(call, in, condition_effect(*mask, keeps_if_true, call.probe_list()))};
}

}  // namespace

Form mask_scores(const Call& call, const Viewed& in, MaskEffect effect) {
  if (effect == MaskEffect::kOther) {
    call.refuse("masks attention by something other than the padding of attention_mask");
  }
  // The effect was checked as one on [batch, heads, query, key].
  if (in.view.axes.size() != 4 || in.view.axes[0] != batch_axis()) {
    call.refuse("masks scores that are not [batch, heads, query, key]");
  }
  if (effect == MaskEffect::kNone) return in;
  Scores out = *in.of->get<Scores>();
  out.masked = true;
  return Viewed{make(call, out, in.of->width, {out.q.of, out.k.of}), in.view};
}

Form multiply_matrices(const Call& call, const Viewed& a, const Viewed& b, double scale) {
  if (a.of->get<Softmax>() != nullptr) {
    if (scale != 1) call.refuse("scales attention after the softmax");
    return context_of(call, a, b);
  }
  return scores_of(call, a, b, scale);
}

Handler find_attention(const Node& node) {
  if (!node.domain.empty()) return nullptr;
  if (node.op_type == "Softmax") return softmax;
  if (node.op_type == "IsNaN") return is_nan;
  if (node.op_type == "Where") return where;
  return nullptr;
}

}  // namespace embedforge::raising
