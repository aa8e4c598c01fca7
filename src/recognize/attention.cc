// Attention written out: q k^T, scale, mask, softmax, times v.
#include <algorithm>
#include <cmath>

#include "graph/tensor.h"
#include "recognize/call.h"

namespace embedforge::recognize {
namespace {

using Kind = Atom::Kind;

/// The batch and head axes in front of the last two; nullopt when there is more.
struct Leading {
  int64_t heads = 1;
  int64_t shared = 1;  // neighbouring heads that are the same columns
  int64_t stride = 0;  // between heads; 0 when there is one
};

std::optional<Leading> leading(const View& view) {
  std::vector<Atom> atoms;
  for (size_t i = 0; i + 2 < view.axes.size(); ++i) {
    atoms.insert(atoms.end(), view.axes[i].begin(), view.axes[i].end());
  }
  if (atoms.empty() || atoms.size() > 3 || atoms[0].kind != Kind::kBatch) return std::nullopt;
  Leading out;
  if (atoms.size() == 1) return out;
  const Atom& last = atoms.back();
  if (last.kind != Kind::kColumn) return std::nullopt;
  if (last.stride == 0) out.shared = last.size;
  if (atoms.size() == 2 && last.stride == 0) return Leading{last.size, last.size, 0};
  if (atoms.size() == 3 && (last.stride != 0 || atoms[1].kind != Kind::kColumn))
    return std::nullopt;
  out.heads = atoms[1].size * out.shared;
  out.stride = atoms[1].stride;
  return out;
}

/// True when the axes in front of the last two have the same sizes.
bool same_leading(const Call& call, const View& a, const View& b) {
  std::vector<int64_t> dims[2] = {dims_at(a, call.probes()[0]), dims_at(b, call.probes()[0])};
  for (auto& each : dims) each.resize(each.size() - 2);
  return dims[0] == dims[1];
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
Part unscaled(const Call& call, const Viewed& value, double* scale) {
  const MapOf map = as_map(value.of);
  const auto factor = as_factor(map.values);
  if (!factor) call.refuse("attends with something that an activation was applied to");
  *scale *= *factor;
  return {map.in, value.view.column};
}

Viewed scores_of(const Call& call, const Viewed& given_q, const Viewed& given_k, double scale) {
  Scores out;
  out.scale = scale;
  const Viewed q = rotated(call, given_q, &out.scale);
  const Viewed k = rotated(call, given_k, &out.scale);
  const auto lead_q = leading(q.view);
  const auto lead_k = leading(k.view);
  const size_t rank = q.view.axes.size();
  if (!lead_q || !lead_k || k.view.axes.size() != rank) {
    call.refuse("multiplies two values of the tokens, but not as heads of attention");
  }
  const auto size = column_size(q.view.axes[rank - 1]);
  const bool fits =
      size && lead_q->heads == lead_k->heads && lead_q->shared == 1 &&
      q.view.axes[rank - 2] == sequence_axis() && k.view.axes[rank - 1] == sequence_axis() &&
      q.view.axes[rank - 1] == column_axis(*size) && k.view.axes[rank - 2] == column_axis(*size);
  if (!fits) call.refuse("multiplies two values of the tokens, but not as q and k of attention");
  for (const auto& lead : {lead_q, lead_k}) {
    if (lead->heads > lead->shared && lead->stride != *size)
      call.refuse("has heads that are not side by side");
  }
  out.q = unscaled(call, q, &out.scale);
  out.k = unscaled(call, k, &out.scale);
  out.heads = lead_q->heads;
  out.kv_heads = lead_k->heads / lead_k->shared;
  out.head_size = *size;
  View view{with_head_stride(q.view, 1), 0};
  view.axes.push_back(sequence_axis());
  view.axes.push_back({{Kind::kKey, 1, 1}});
  const int64_t heads = out.heads;
  return Viewed{make(call, std::move(out), heads), std::move(view)};
}

Viewed context_of(const Call& call, const Viewed& weights, const Viewed& v) {
  const auto& scores = weights.of->get<Softmax>()->scores;
  const auto lead = leading(v.view);
  const size_t rank = v.view.axes.size();
  const bool fits = lead && weights.view.axes.size() == rank && lead->heads == scores.heads &&
                    lead->heads / lead->shared == scores.kv_heads &&
                    v.view.axes[rank - 2] == sequence_axis() &&
                    v.view.axes[rank - 1] == column_axis(scores.head_size) &&
                    (lead->heads == lead->shared || lead->stride == scores.head_size) &&
                    same_leading(call, weights.view, v.view);
  if (!fits) call.refuse("multiplies attention by something that doesn't lie like v");
  double scale = 1;
  Context out{scores, unscaled(call, v, &scale)};
  if (scale != 1) call.refuse("scales v");
  View view{with_head_stride(weights.view, scores.head_size), 0};
  view.axes.push_back(sequence_axis());
  view.axes.push_back(column_axis(scores.head_size));
  const int64_t width = scores.heads * scores.head_size;
  return Viewed{make(call, out, width), view};
}

/// The softmax of scores, once padding is out of them.
Viewed weights_of(const Call& call, const Viewed& in) {
  const auto& scores = *in.of->get<Scores>();
  if (!scores.masked && call.setting().has_mask_input && !call.setting().whole) {
    call.refuse("attends to padding: no mask was applied to the scores");
  }
  return like(call, in, Softmax{scores});
}

/// [batch, sequence, width] as [batch, heads, sequence, width / heads]; what has four axes as it
/// is.
Viewed with_heads(const Call& call, const Viewed& given, const char* attribute) {
  Viewed in = without_rounding(given);
  if (in.view.axes.size() == 4) return in;
  const int64_t heads = call.node().int_attribute(attribute, 0);
  if (in.view.axes.size() != 3 || heads <= 0) call.refuse("has an input without heads");
  std::vector<std::vector<int64_t>> dims;
  for (const Probe& probe : call.probes()) {
    std::vector<int64_t> each = dims_at(in.view, probe);
    each[2] /= heads;
    each.insert(each.begin() + 2, heads);
    dims.push_back(std::move(each));
  }
  auto view = reshape(in.view, dims, call.probes());
  if (!view) call.refuse("has a number of heads that doesn't divide its width");
  std::swap(view->axes[1], view->axes[2]);
  return {in.of, std::move(*view)};
}

/// Each head of k or v as many times as there are heads of q for it.
Viewed shared_heads(const Call& call, const Viewed& in, int64_t heads) {
  const int64_t own = dims_at(in.view, call.probes()[0])[1];
  if (own == heads) return in;
  if (own == 0 || heads % own != 0) call.refuse("has heads that don't divide");
  Viewed out = in;
  out.view.axes[1].push_back({Kind::kColumn, heads / own, 0});
  return out;
}

/// All but its value.
Masking masking_of(const Known& mask, MaskEffects::Kind kind, const MaskEffect& effect) {
  using Kind = MaskEffects::Kind;
  Masking out;
  out.added = kind == Kind::kAdditive;
  bool nothing = true;
  for (const Tensor& each : mask.at) {
    for (const double x : to_doubles(each)) {
      nothing = nothing && (out.added ? x == 0 : (x != 0) == (kind == Kind::kKeepIfTrue));
      if (&each == mask.at.data()) out.low = std::min(out.low, x);
    }
  }
  const bool by_key = effect.understood && !effect.causal && effect.window < 0;
  if (by_key && effect.padding && effect.relative_bias.empty()) out.kind = Masking::Kind::kPadding;
  if (nothing) out.kind = Masking::Kind::kNothing;
  return out;
}

}  // namespace

Forms op::softmax(const Call& call) {
  const Viewed in = call.tokens(0);
  const auto* scores = in.of->get<Scores>();
  if (scores == nullptr) call.refuse("is applied to something other than attention scores");
  const size_t rank = in.view.axes.size();
  const int64_t axis = call.node().int_attribute("axis", call.setting().opset >= 13 ? -1 : 1);
  const bool by_key = in.view.axes.back() == Axis{{Kind::kKey, 1, 1}};
  if (call.axis(axis, rank) + 1 != rank || !by_key) call.refuse("is not over the keys");
  return {weights_of(call, in)};
}

Forms op::is_nan(const Call& call) {
  const Viewed in = call.tokens(0);
  if (in.of->get<Softmax>() == nullptr) call.refuse("tests something other than attention");
  return {like(call, in, NanTest{in.of})};
}

Forms op::where(const Call& call) {
  const Viewed* condition = call.viewed(0);
  if (condition != nullptr) {  // a guard for rows that are all padding, which don't exist here
    const auto* test = condition->of->get<NanTest>();
    if (test == nullptr || call.scalar(1).value_or(1) != 0)
      call.refuse("chooses by the tokens' values");
    const Viewed kept = call.tokens(2);
    if (kept.of != test->in) call.refuse("chooses by the tokens' values");
    return {kept};
  }
  const bool keeps_if_true = call.viewed(1) != nullptr;
  if (!keeps_if_true && call.viewed(2) == nullptr) return {};
  const size_t kept = keeps_if_true ? 1 : 2;
  const Viewed in = without_rounding(*call.viewed(kept));
  const auto other = call.scalar(3 - kept);
  const auto mask = call.known_or_constant(0);
  if (!other || !mask) call.refuse("chooses between two values of the tokens");
  if (in.of->get<Scores>() == nullptr) {
    return {fill_padding(call, in, *mask, keeps_if_true, *other)};
  }
  if (*other > kVeryNegative) call.refuse("masks scores with something that isn't very negative");
  const auto kind =
      keeps_if_true ? MaskEffects::Kind::kKeepIfTrue : MaskEffects::Kind::kKeepIfFalse;
  return {mask_scores(call, in, 0, kind, *other)};
}

/// Attention of the standard operators (opset 23): Attention(Q, K, V, attn_mask, past_key,
/// past_value)
Forms op::attention(const Call& call) {
  const Node& node = call.node();
  if (call.has(4) || call.has(5) || call.has(6)) call.refuse("has a past");
  if (node.float_attribute("softcap", 0) != 0) call.refuse("has a softcap");
  const bool packed = call.need_viewed(0).view.axes.size() == 3;
  const Viewed q = with_heads(call, call.need_viewed(0), "q_num_heads");
  const int64_t heads = dims_at(q.view, call.probes()[0])[1];
  Viewed k = shared_heads(call, with_heads(call, call.need_viewed(1), "kv_num_heads"), heads);
  const Viewed v = shared_heads(call, with_heads(call, call.need_viewed(2), "kv_num_heads"), heads);
  std::swap(k.view.axes[2], k.view.axes[3]);
  const auto size = static_cast<double>(column_size(q.view.axes[3]).value_or(1));
  const double scale = node.float_attribute("scale", static_cast<float>(1 / std::sqrt(size)));
  Viewed scores = scores_of(call, q, k, scale);
  if (call.has(3)) {
    const auto mask = call.known_or_constant(3);
    const bool chooses = mask && mask->at[0].type == DataType::kBool;
    const auto kind = chooses ? MaskEffects::Kind::kKeepIfTrue : MaskEffects::Kind::kAdditive;
    scores = mask_scores(call, scores, 3, kind);
  }
  if (node.int_attribute("is_causal", 0) != 0) {
    Scores causal = *scores.of->get<Scores>();
    causal.causal = causal.masked = true;
    causal.maskings.push_back({});
    scores.of = make(call, causal, heads);
  }
  Viewed out = context_of(call, weights_of(call, scores), v);
  if (packed) {
    Viewed& value = out;
    value.view = token_view(value.of->width);
  }
  return {out};
}

void apply_effect(const Call& call, const MaskEffect& effect, Scores& scores) {
  if (call.setting().whole) return;  // scores' maskings tell
  if (!effect.understood) {
    call.refuse(
        "masks attention by something other than the padding of attention_mask, the order of the "
        "tokens or their distance");
  }
  scores.masked = scores.masked || effect.padding || effect.causal;
  scores.causal = scores.causal || effect.causal;
  if (effect.window >= 0) {
    scores.window = scores.window < 0 ? effect.window : std::min(scores.window, effect.window);
  }
  if (effect.relative_bias.empty()) return;
  if (!scores.relative_bias.empty()) call.refuse("adds a second bias to attention scores");
  if (effect.bias_heads != 1 && effect.bias_heads != scores.heads) {
    call.refuse("adds a bias for another number of heads");
  }
  for (int64_t head = 0; head < scores.heads; head += effect.bias_heads) {
    scores.relative_bias.insert(scores.relative_bias.end(), effect.relative_bias.begin(),
                                effect.relative_bias.end());
  }
  scores.bias_length = effect.bias_length;
}

Viewed mask_scores(const Call& call, const Viewed& in, size_t mask, MaskEffects::Kind kind,
                   double low) {
  const auto known = call.known_or_constant(mask);
  if (!known) call.refuse("has a mask that depends on the tokens' values");
  // The effect is one on [batch, heads, query, key].
  if (in.view.axes.size() != 4 || in.view.axes[0] != batch_axis()) {
    call.refuse("masks scores that are not [batch, heads, query, key]");
  }
  const MaskEffect effect = call.mask_effect(*known, kind);
  Scores out = *in.of->get<Scores>();
  apply_effect(call, effect, out);
  out.maskings.push_back(masking_of(*known, kind, effect));
  Masking& last = out.maskings.back();
  last.value = call.node().inputs[mask];
  if (!last.added) last.low = low;
  return like(call, in, out);
}

Viewed multiply_matrices(const Call& call, const Viewed& a, const Viewed& b, double scale) {
  if (a.of->get<Softmax>() != nullptr) {
    if (scale != 1) call.refuse("scales attention after the softmax");
    return context_of(call, a, b);
  }
  return scores_of(call, a, b, scale);
}

}  // namespace embedforge::recognize
