// LayerNormalization and RMSNorm, as one operator or written out.
#include <cmath>
#include <map>

#include "recognize/call.h"

namespace embedforge::recognize {
namespace {

using StatKind = Stat::Kind;

/// Heads, side by side, that a view has as an axis of their own; nullopt for views of whole rows
/// and others.
std::optional<HeadView> head_columns(const Viewed& in) {
  const auto out = head_view(in.view);
  const bool whole = out && out->heads == 1 && out->size == in.of->width;
  const bool fits = out && out->column_stride == 1 && (out->heads == 1 || out->stride == out->size);
  return fits && !whole ? out : std::nullopt;
}

/// A sum or mean over the row of in, or of its square.
Viewed row_stat(const Call& call, const Viewed& in, bool mean, bool keep_axis) {
  const MapOf map = as_map(in.of);
  const auto heads = head_columns(in);
  Stat stat{map.in, StatKind::kMean, stat_points()};
  if (heads) {
    stat.group = heads->size;
    stat.column = in.view.column;
  }
  const Samples squares = squared(map_points());
  bool is_square = true;
  for (size_t i = 0; i < kPointCount; ++i) {
    is_square = is_square && std::fabs(map.values[i] - squares[i]) <= 1e-9 * squares[i];
  }
  if (is_square) {
    const auto* centered = map.in->get<Centered>();
    stat.kind = !mean                 ? StatKind::kSumSquare
                : centered != nullptr ? StatKind::kVariance
                                      : StatKind::kMeanSquare;
    if (mean && centered != nullptr) stat.in = centered->in;
  } else if (!mean && in.view.axes.size() == 2) {
    stat.kind = StatKind::kSumMapped;
    stat.squares = map.values;
  } else if (!mean || map.values != map_points()) {
    call.refuse("reduces something that is neither a value nor its square");
  }
  View view = in.view;
  view.axes.back() = {};
  if (heads) {
    view.column = 0;
    for (Axis& axis : view.axes) {
      for (Atom& atom : axis) atom.stride = 1;
    }
  }
  if (!keep_axis) view.axes.pop_back();
  const int64_t width = heads ? heads->heads : 1;
  return Viewed{make(call, stat, width), view};
}

Viewed normalized_pool(const Call& call, const Viewed& in) {
  const auto* pool = in.of->get<Pool>();
  const bool layer = in.of->get<Linear>() != nullptr || in.of->get<Map>() != nullptr;
  if (layer && in.view.axes.size() == 2) {
    return like(call, in, Normalized{in.of});
  }
  if (pool == nullptr) call.refuse("normalizes something that is no sentence embedding");
  Pool out = *pool;
  out.normalize = true;
  return like(call, in, out);
}

}  // namespace

/// Nothing unless the reduction is over the columns of a whole row.
Forms op::reduce(const Call& call) {
  const Viewed in = call.tokens(0);
  const auto axes = call.ints_or_attribute(1, "axes");
  if (!axes || axes->size() != 1) call.refuse("reduces more than one axis");
  const size_t rank = in.view.axes.size();
  const size_t axis = call.axis((*axes)[0], rank);
  if (axis + 1 != rank) return pool_tokens(call, in, axis);
  if (!is_row_major(in.view, in.of->width) && !head_columns(in)) {
    call.refuse("reduces a part of each row");
  }
  const std::string& op = call.node().op_type;
  const bool keep = call.node().int_attribute("keepdims", 1) != 0;
  if (op == "ReduceMean" || op == "ReduceSum")
    return {row_stat(call, in, op == "ReduceMean", keep)};
  if (head_columns(in)) call.refuse("reduces the columns of a head");
  if (op == "ReduceMax" || op == "ReduceMin") return {row_bound(call, in, keep)};
  if (op != "ReduceL2" && op != "ReduceSumSquare") call.refuse("reduces the columns of a row");
  const Viewed square = apply_map(call, in, squared(as_map(in.of).values));
  Viewed out = row_stat(call, square, false, keep);
  if (op == "ReduceSumSquare") return {out};
  const Viewed& sum = out;
  Stat stat = *sum.of->get<Stat>();
  for (double& value : stat.values) value = std::sqrt(value);
  return {Viewed{make(call, stat, 1), sum.view}};
}

Forms op::lp_normalization(const Call& call) {
  const Viewed& in = call.need_viewed(0);
  const size_t rank = in.view.axes.size();
  if (call.axis(call.node().int_attribute("axis", -1), rank) + 1 != rank ||
      call.node().int_attribute("p", 2) != 2) {
    call.refuse("is not the L2 normalization of rows");
  }
  return {normalized_pool(call, without_rounding(in))};
}

Forms op::layer_normalization(const Call& call) {
  const Viewed& in = call.need_viewed(0);
  const size_t rank = in.view.axes.size();
  if (call.axis(call.node().int_attribute("axis", -1), rank) + 1 != rank) {
    call.refuse("normalizes more than the last axis");
  }
  const auto gamma = call.floats(1);
  if (!gamma) call.refuse("has no constant scale");
  std::vector<float> beta;
  if (call.has(2)) {
    const auto values = call.floats(2);
    if (!values) call.refuse("has no constant bias");
    beta = *values;
  }
  const bool rms = call.node().op_type != "LayerNormalization";
  return {normalize_rows(call, in, rms ? NormKind::kRmsNorm : NormKind::kLayerNorm, *gamma, beta,
                         call.node().float_attribute("epsilon", 1e-5F),
                         head_columns(without_rounding(in)).value_or(HeadView{}).size)};
}

Viewed normalize_rows(const Call& call, const Viewed& given, NormKind kind,
                      std::vector<float> gamma, std::vector<float> beta, double epsilon,
                      int64_t group) {
  const Viewed in = without_rounding(given);
  const auto heads = group > 0 ? head_columns(in) : std::nullopt;
  const auto width = static_cast<size_t>(heads ? heads->heads * heads->size : in.of->width);
  if (group == 0 && !is_row_major(in.view, in.of->width)) {
    call.refuse("normalizes a part of each row");
  }
  if (group > 0 && kind == NormKind::kLayerNorm) call.refuse("is a LayerNormalization of heads");
  if (group > 0 && static_cast<int64_t>(gamma.size()) == group) {
    for (size_t i = gamma.size(); i < width; ++i)
      gamma.push_back(gamma[i - static_cast<size_t>(group)]);
  }
  if (kind == NormKind::kLayerNorm && beta.empty()) beta.assign(width, 0);
  if (gamma.size() != width || (!beta.empty() && beta.size() != width)) {
    call.refuse("has a scale or bias that doesn't fit its input");
  }
  Norm out{in.of, kind,          std::move(gamma), std::move(beta), static_cast<float>(epsilon),
           group, in.view.column};
  return Viewed{make(call, std::move(out), static_cast<int64_t>(width)), {in.view.axes, 0}};
}

Viewed times_stat(const Call& call, const Viewed& in, const Stat& stat, const Samples& factor) {
  const HeadView heads = head_columns(in).value_or(HeadView{});
  const int64_t width = stat.group > 0 ? heads.heads * heads.size : stat.in->width;
  const auto ones = std::vector<float>(static_cast<size_t>(width), 1);
  const auto epsilon = as_epsilon(factor);
  const auto* centered = in.of->get<Centered>();
  if (stat.kind == StatKind::kVariance && centered != nullptr && centered->in == stat.in &&
      epsilon) {
    return normalize_rows(call, {stat.in, in.view}, NormKind::kLayerNorm, ones, {}, *epsilon);
  }
  if (stat.kind == StatKind::kMeanSquare && stat.in == in.of && epsilon &&
      stat.group == heads.size && (stat.group == 0 || stat.column == in.view.column)) {
    return normalize_rows(call, in, NormKind::kRmsNorm, ones, {}, *epsilon, stat.group);
  }
  if (stat.kind == StatKind::kSumSquare && stat.in == in.of && is_inverse_root(factor)) {
    return normalized_pool(call, in);
  }
  const MapOf map = as_map(in.of);
  if (stat.kind == StatKind::kSumMapped && stat.in == map.in &&
      stat.squares == squared(map.values) && is_inverse_root(factor)) {
    return normalized_pool(call, in);
  }
  call.refuse("scales rows in a way that is no normalization");
}

}  // namespace embedforge::recognize
