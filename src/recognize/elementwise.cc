// Arithmetic on tokens' values: scalar functions, residual sums, gates, masks.
#include <algorithm>
#include <cmath>
#include <map>

#include "recognize/call.h"

namespace embedforge::recognize {
namespace {

using Real = double (*)(double, double);

double add(double a, double b) { return a + b; }
double subtract(double a, double b) { return a - b; }
double multiply(double a, double b) { return a * b; }
double divide(double a, double b) { return a / b; }
double power(double a, double b) { return std::pow(a, b); }
double largest(double a, double b) { return std::max(a, b); }
double smallest(double a, double b) { return std::min(a, b); }

Samples combine(const Samples& a, const Samples& b, Real f) {
  Samples out{};
  for (size_t i = 0; i < kPointCount; ++i) out[i] = f(a[i], b[i]);
  return out;
}

Samples constant_samples(double value) {
  Samples out{};
  out.fill(value);
  return out;
}

/// True for what is one number a token or sequence and column, so that scalar functions of it make
/// sense.
bool is_matrix(const Ref& of) {
  return !is_any<Scores, Softmax, NanTest, Quantized, QuantScale, QuantZero, IntegerProduct, Scaled,
                 Picked, FromLow, UnitRow, LowTerm>(of);
}

Viewed with_stat(const Call& call, const Viewed& in, const Stat& stat, const Samples& values) {
  return like(call, in, Stat{stat.in, stat.kind, values, stat.group, stat.column, stat.squares});
}

/// f(in, scalar), or f(scalar, in) when `reversed`.
Viewed with_scalar(const Call& call, const Viewed& in, double scalar, Real f, bool reversed) {
  if (const auto* scores = in.of->get<Scores>()) {
    Scores out = *scores;
    if (out.relative_bias.empty() && (f == multiply || (f == divide && !reversed))) {
      out.scale = f(out.scale, scalar);
      for (Masking& each : out.maskings) each.scale = f(each.scale, scalar);
      return like(call, in, out);
    }
    const bool guard = (f == largest && scalar <= kVeryNegative) || (f == add && scalar == 0);
    if (guard) return in;  // a floor far below any score
    call.refuse("changes attention scores by a constant");
  }
  const Samples constant = constant_samples(scalar);
  const auto apply = [&](const Samples& values) {
    return reversed ? combine(constant, values, f) : combine(values, constant, f);
  };
  if (const auto* stat = in.of->get<Stat>()) return with_stat(call, in, *stat, apply(stat->values));
  if (const auto* scale = in.of->get<QuantScale>(); scale != nullptr && f == multiply) {
    QuantScale out = *scale;
    for (float& factor : out.factors) factor *= static_cast<float>(scalar);
    return like(call, in, out);
  }
  if (!is_matrix(in.of)) call.refuse("changes part of a quantized product or of a softmax");
  return apply_map(call, in, apply(as_map(in.of).values));
}

/// `values`, of shape `dims`, as one number for each column of the row; nullopt when they depend on
/// more than the column.
std::optional<std::vector<float>> by_column(const std::vector<float>& values,
                                            const std::vector<int64_t>& dims, const Viewed& in) {
  const std::vector<Axis>& axes = in.view.axes;
  if (dims.size() > axes.size()) return std::nullopt;
  struct Digit {
    int64_t size, column, source;  // of one axis: its size, its steps in the row and in `values`
  };
  std::vector<Digit> digits;
  int64_t count = 1;
  int64_t source_stride = 1;
  for (size_t i = axes.size(); i-- > 0;) {
    const size_t missing = axes.size() - dims.size();
    const int64_t dim = i < missing ? 1 : dims[i - missing];
    const auto size = column_size(axes[i]);
    const bool columns = size && axes[i].size() <= 1;
    if (dim != 1 && (!columns || dim != *size)) return std::nullopt;
    if (!columns || axes[i].empty()) continue;
    digits.push_back({*size, axes[i][0].stride, dim == 1 ? 0 : source_stride});
    source_stride *= dim;
    count *= *size;
  }
  if (count != in.of->width) return std::nullopt;
  std::vector<float> out(static_cast<size_t>(count), 0);
  for (int64_t n = 0; n < count; ++n) {
    int64_t column = in.view.column;
    int64_t source = 0;
    int64_t rest = n;
    for (const Digit& digit : digits) {
      column += rest % digit.size * digit.column;
      source += rest % digit.size * digit.source;
      rest /= digit.size;
    }
    out[static_cast<size_t>(column)] = values[static_cast<size_t>(source)];
  }
  return out;
}

Viewed times_vector(const Call& call, const Viewed& in, const std::vector<float>& values) {
  if (const auto* norm = in.of->get<Norm>()) {
    Norm out = *norm;
    for (size_t i = 0; i < values.size(); ++i) {
      out.gamma[i] *= values[i];
      if (!out.beta.empty()) out.beta[i] *= values[i];
    }
    return like(call, in, out);
  }
  call.refuse("scales columns of something that is not normalized");
}

Viewed with_constants(const Call& call, const Viewed& in, size_t i, Real f) {
  const auto values = call.floats(i);
  const Known known = *call.known_or_constant(i);
  const auto* scale = in.of->get<QuantScale>();
  if (scale != nullptr && f == multiply && scale->factors.size() == 1) {
    QuantScale out = *scale;
    out.factors = *values;
    for (float& factor : out.factors) factor *= scale->factors[0];
    return Viewed{make(call, out, in.of->width), {}};
  }
  if (f == multiply && known.at[0].dims.size() == 1) {
    if (auto out = row_scaled(call, in, *values)) return *out;
  }
  const auto columns = by_column(*values, known.at[0].dims, in);
  if (!columns) call.refuse("has a constant that doesn't vary by column alone");
  if (f == add) return add_vector(call, in, *columns);
  if (f == subtract) {
    std::vector<float> negative = *columns;
    for (float& value : negative) value = -value;
    return add_vector(call, in, negative);
  }
  if (f == multiply) return times_vector(call, in, *columns);
  call.refuse("combines tokens' values with a vector in a way that no step does");
}

/// f of two values of the tokens, both scalar functions of one value.
std::optional<Viewed> pointwise(const Call& call, const Viewed& a, const Viewed& b, Real f) {
  const auto* stat_a = a.of->get<Stat>();
  const auto* stat_b = b.of->get<Stat>();
  if (stat_a != nullptr && stat_b != nullptr) {
    if (stat_a->in != stat_b->in || stat_a->kind != stat_b->kind ||
        stat_a->group != stat_b->group || stat_a->column != stat_b->column ||
        stat_a->squares != stat_b->squares) {
      return std::nullopt;
    }
    return with_stat(call, a, *stat_a, combine(stat_a->values, stat_b->values, f));
  }
  if (stat_a != nullptr || stat_b != nullptr || !is_matrix(a.of) || !is_matrix(b.of)) {
    return std::nullopt;
  }
  const MapOf map_a = as_map(a.of);
  const MapOf map_b = as_map(b.of);
  if (map_a.in != map_b.in || !same_elements(a.view, b.view)) return std::nullopt;
  return apply_map(call, {map_a.in, a.view.axes.size() >= b.view.axes.size() ? a.view : b.view},
                   combine(map_a.values, map_b.values, f));
}

/// activation(one) * other
std::optional<Viewed> gated(const Call& call, const Viewed& a, const Viewed& b) {
  if (!is_matrix(a.of) || !is_matrix(b.of) || !same_axes(a.view, b.view)) return std::nullopt;
  const auto width = a.view.axes.empty() ? std::nullopt : column_size(a.view.axes.back());
  if (!width) return std::nullopt;
  View rows = a.view;
  rows.column = 0;
  if (!is_row_major(rows, *width)) return std::nullopt;
  for (const bool swapped : {false, true}) {
    const Viewed& gate = swapped ? b : a;
    const Viewed& up = swapped ? a : b;
    const MapOf map = as_map(gate.of);
    const auto activation = as_activation(map.values);
    if (!activation || as_factor(as_map(up.of).values).value_or(0) != 1) continue;
    const Gate out{{map.in, gate.view.column}, {as_map(up.of).in, up.view.column}, *activation};
    return Viewed{make(call, out, *width), rows};
  }
  return std::nullopt;
}

Viewed two_values(const Call& call, Viewed a, Viewed b, Real f) {
  a = without_rounding(a);
  b = without_rounding(b);
  if (f == multiply) {
    if (auto out = scaled_embedding(call, a, b)) return *out;
  }
  if (auto out = row_quantization(call, a, b, call.node().op_type)) return *out;
  const bool mixed = a.of->get<Mix>() != nullptr || b.of->get<Mix>() != nullptr;
  if (mixed && (f == add || f == subtract)) return add_mixes(call, a, b, f == subtract);
  if (auto out = pointwise(call, a, b, f)) return *out;
  if (f == multiply) {
    if (auto out = times_table(call, a, b)) return *out;
  }
  if (f == add) return residual(call, a, b);
  const auto* stat = b.of->get<Stat>();
  if (f == subtract && stat != nullptr && stat->kind == Stat::Kind::kMean && stat->in == a.of &&
      is_itself(stat->values)) {
    return like(call, a, Centered{a.of});
  }
  if (f == divide && stat != nullptr) {
    return times_stat(call, a, *stat, combine(constant_samples(1), stat->values, divide));
  }
  if (f == multiply) {
    if (stat != nullptr) return times_stat(call, a, *stat, stat->values);
    if (const auto* other = a.of->get<Stat>()) return times_stat(call, b, *other, other->values);
    for (const bool swapped : {false, true}) {
      const Viewed& left = swapped ? b : a;
      const Viewed& right = swapped ? a : b;
      const auto* integers = left.of->get<IntegerProduct>();
      const auto* scale = right.of->get<QuantScale>();
      if (integers == nullptr || scale == nullptr || scale->in != integers->in) continue;
      Linear out{integers->in, integers->weight, {}};
      Int8Format& format = *out.weight.int8();
      format.scales = scale->factors;
      if (format.scales.size() == 1) {
        format.scales.assign(static_cast<size_t>(out.weight.n), scale->factors[0]);
      }
      if (static_cast<int64_t>(format.scales.size()) != out.weight.n) {
        call.refuse("has as many scales as its product doesn't have columns");
      }
      format.activation = ActivationQuant{};
      return like(call, left, out);
    }
    if (auto out = gated(call, a, b)) return *out;
  }
  call.refuse("combines two values in a way that no part of an encoder does");
}

Viewed one_value(const Call& call, const Viewed& given, size_t other, Real f, bool reversed) {
  const Viewed in = without_rounding(given);
  const bool one_column = in.of->get<Linear>() != nullptr && in.of->width == 1;
  if (const auto scalar = call.scalar(other); scalar && f == add && one_column) {
    return add_vector(call, in, {static_cast<float>(*scalar)});
  }
  if (const auto scalar = call.scalar(other)) return with_scalar(call, in, *scalar, f, reversed);
  const Known* known = call.known(other);
  if (in.of->get<Scores>() != nullptr && f == add) {
    return mask_scores(call, in, other, MaskEffects::Kind::kAdditive);
  }
  if (!reversed || f == add || f == multiply) {
    if (call.floats(other)) return with_constants(call, in, other, f);
    if (known != nullptr && (f == multiply || f == divide)) {
      return times_known(call, in, *known, f == divide);
    }
  }
  call.refuse("combines tokens' values with the mask or positions in a way that no step does");
}

Viewed apply_unary(const Call& call, const Viewed& given, double (*f)(double)) {
  const Viewed in = without_rounding(given);
  const auto* stat = in.of->get<Stat>();
  if (stat == nullptr && !is_matrix(in.of))
    call.refuse("is applied to attention or quantized values");
  Samples values = stat != nullptr ? stat->values : as_map(in.of).values;
  std::transform(values.begin(), values.end(), values.begin(), f);
  if (stat != nullptr) return with_stat(call, in, *stat, values);
  return apply_map(call, in, values);
}

}  // namespace

Forms op::binary(const Call& call) {
  static const std::map<std::string, Real> kOperators = {
      {"Add", add},   {"Sub", subtract}, {"Mul", multiply}, {"Div", divide},
      {"Pow", power}, {"Max", largest},  {"Min", smallest}};
  const Viewed* a = call.viewed(0);
  const Viewed* b = call.viewed(1);
  if (a == nullptr && b == nullptr) return {};
  if (call.input_count() != 2) call.refuse("has more than two inputs");
  const Real f = kOperators.at(call.node().op_type);
  if (a != nullptr && b != nullptr) return {two_values(call, *a, *b, f)};
  return {a != nullptr ? one_value(call, *a, 1, f, false) : one_value(call, *b, 0, f, true)};
}

Forms op::unary(const Call& call) {
  static const std::map<std::string, double (*)(double)> kOperators = {
      {"Abs", [](double x) { return std::fabs(x); }},
      {"Erf", [](double x) { return std::erf(x); }},
      {"Exp", [](double x) { return std::exp(x); }},
      {"Neg", [](double x) { return -x; }},
      {"Reciprocal", [](double x) { return 1 / x; }},
      {"Relu", [](double x) { return std::max(x, 0.0); }},
      {"Sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }},
      {"Sqrt", [](double x) { return std::sqrt(x); }},
      {"Tanh", [](double x) { return std::tanh(x); }}};
  return {apply_unary(call, call.need_viewed(0), kOperators.at(call.node().op_type))};
}

Forms op::clip(const Call& call) {
  const Viewed& in = call.need_viewed(0);
  Viewed out = in;
  const auto bound = [&](size_t i, const char* key) -> std::optional<double> {
    if (call.has(i)) return call.scalar(i);
    if (!call.node().attributes.contains(key)) return std::nullopt;
    return call.node().float_attribute(key, 0);
  };
  if (const auto low = bound(1, "min")) {
    out = with_scalar(call, without_rounding(out), *low, largest, false);
  }
  if (const auto high = bound(2, "max")) {
    out = with_scalar(call, without_rounding(out), *high, smallest, false);
  }
  return {out};
}

Forms op::gelu(const Call& call) {
  const auto found = call.node().attributes.find("approximate");
  const auto* kind =
      found == call.node().attributes.end() ? nullptr : std::get_if<std::string>(&found->second);
  const bool tanh = kind != nullptr && *kind == "tanh";
  return {apply_activation(call, call.need_viewed(0),
                           tanh ? Activation::kGeluTanh : Activation::kGelu)};
}

Viewed apply_map(const Call& call, const Viewed& in, const Samples& values) {
  const MapOf map = as_map(in.of);
  if (map.in->get<Mix>() != nullptr) {
    const auto factor = as_factor(values);
    if (!factor) call.refuse("applies a function to rotated values");
    return scaled_mix(call, {map.in, in.view}, *factor);
  }
  if (values == map_points()) return Viewed{map.in, in.view};
  return Viewed{make(call, Map{map.in, values}, map.in->width), in.view};
}

Viewed apply_activation(const Call& call, const Viewed& in, Activation activation) {
  return apply_unary(call, in, activation_function(activation));
}

Viewed residual(const Call& call, const Viewed& a, const Viewed& b) {
  if (a.of->get<Embedding>() != nullptr && b.of->get<Embedding>() != nullptr) {
    return add_embeddings(call, a, b);
  }
  bool tokens = false;
  const bool fits = is_matrix(a.of) && is_matrix(b.of) && a.of->width == b.of->width &&
                    is_row_major(a.view, a.of->width, &tokens) &&
                    is_row_major(b.view, b.of->width) && same_axes(a.view, b.view);
  if (!fits || !tokens) call.refuse("adds two values that don't lie the same way");
  return like(call, a, Sum{a.of, b.of});
}

}  // namespace embedforge::recognize
