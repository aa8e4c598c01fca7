// Takes: a node and the forms of its inputs. Gives: what the operators' handlers ask of them, and
// what several handlers build. Never: walks a graph.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "recognize/form.h"
#include "recognize/mask_effect.h"
#include "recognize/operators.h"
#include "recognize/probe.h"
#include "recognize/view.h"

namespace embedforge::recognize {

/// What is the same for all nodes of a walk.
struct Setting {
  std::vector<Probe> probes;
  int64_t opset = 1;
  bool has_mask_input = false;
  bool whole = false;  // attention may be of any mask: its name is kept
  MaskEffects masks = {};
};

/// One node with the forms of its inputs. Its refusals are errors of the node (kNotSupported).
class Call {
 public:
  Call(const Node& node, std::vector<const Form*> inputs, Setting& setting)
      : node_(node), inputs_(std::move(inputs)), setting_(setting) {}

  const Node& node() const { return node_; }
  const Setting& setting() const { return setting_; }
  const std::vector<Probe>& probes() const { return setting_.probes; }
  size_t input_count() const { return inputs_.size(); }

  bool has(size_t i) const { return i < inputs_.size() && inputs_[i] != nullptr; }
  /// nullptr when input i is left out or of another form.
  const Viewed* viewed(size_t i) const;
  const Known* known(size_t i) const;
  const Constant* constant(size_t i) const;
  /// The same, but the node is refused without it.
  const Viewed& need_viewed(size_t i) const;
  const Constant& need_constant(size_t i) const;
  /// need_viewed() without_rounding()
  Viewed tokens(size_t i) const { return without_rounding(need_viewed(i)); }
  /// A Known, or a Constant as one.
  std::optional<Known> known_or_constant(size_t i) const;
  /// A constant (dequantized), or a known value that is the same for every probe; nullopt for
  /// others.
  std::optional<Tensor> fixed(size_t i) const;
  /// Its numbers.
  std::optional<std::vector<float>> floats(size_t i) const;
  std::optional<std::vector<int64_t>> ints(size_t i) const;
  std::optional<double> scalar(size_t i) const;
  /// Integers of input i, or of the attribute where older opsets keep them.
  std::optional<std::vector<int64_t>> ints_or_attribute(size_t i, const std::string& key) const;
  MaskEffect mask_effect(const Known& mask, MaskEffects::Kind kind) const {
    return setting_.masks.of(mask, kind, setting_.probes);
  }
  /// An axis counted from the front.
  size_t axis(int64_t axis, size_t rank) const;

  [[noreturn]] void refuse(const std::string& why) const;

 private:
  const Node& node_;
  std::vector<const Form*> inputs_;
  Setting& setting_;
};

inline int depth_of(const Ref& expression) { return expression->depth + 1; }
inline int depth_of(const Part& part) { return depth_of(part.of); }
/// One more than that of the deepest expression that `parts` is made of.
template <typename T>
int depth_below(const T& parts) {
  int out = 0;
  if constexpr (requires { parts.in; }) out = depth_of(parts.in);
  if constexpr (requires { parts.a; }) out = std::max(depth_of(parts.a), depth_of(parts.b));
  if constexpr (requires { parts.up; }) out = std::max(depth_of(parts.gate), depth_of(parts.up));
  if constexpr (requires { parts.q; }) out = std::max(depth_of(parts.q), depth_of(parts.k));
  if constexpr (requires { parts.scores; }) out = depth_below(parts.scores);
  if constexpr (requires { parts.v; }) out = std::max(out, depth_of(parts.v));
  return out;
}

/// What every handler builds. The depth of expressions is bounded (kNotSupported).
template <typename T>
Ref make(const Call& call, T value, int64_t width) {
  constexpr int kDeepest = 5000;
  const int depth = depth_below(value);
  if (depth > kDeepest) call.refuse("is below too many others");
  return std::make_shared<const Expression>(Expression{std::move(value), width, depth});
}
/// The same, of the width of `in` and laid out like it.
template <typename T>
Viewed like(const Call& call, const Viewed& in, T value) {
  return {make(call, std::move(value), in.of->width), in.view};
}

/// The tensor of a constant, dequantized and transposed as noted.
Tensor plain(const Constant& constant);
std::vector<float> constant_floats(const Constant& constant);

// What handlers of several files need.
/// Gather where the data come from the tokens: columns, or the first token.
Forms gather_columns(const Call& call);
/// Slice of a constant table by the sequence's length: positions. Nothing for other slices.
Forms slice_table(const Call& call);
Viewed multiply_matrices(const Call& call, const Viewed& a, const Viewed& b, double scale);
Viewed product(const Call& call, const Viewed& in, const Constant& weight, std::vector<float> bias);
/// The same with an input that becomes integers: row by row unless `in` says how.
Viewed integer_product(const Call& call, const Viewed& in, const Constant& weight);
/// `bias` by column of the row.
Viewed add_vector(const Call& call, const Viewed& in, const std::vector<float>& bias);
Viewed residual(const Call& call, const Viewed& a, const Viewed& b);
Viewed add_embeddings(const Call& call, const Viewed& a, const Viewed& b);
Viewed apply_activation(const Call& call, const Viewed& in, Activation activation);
/// Where(mask, in, fill) and the like on tokens' values: padding made 0 or very negative.
Viewed fill_padding(const Call& call, const Viewed& in, const Known& condition, bool keeps_if_true,
                    double fill);
/// mask [batch, 1, sequence] times in
Viewed pool_by_product(const Call& call, const Known& mask, const Viewed& in);
/// ReduceSum, ReduceMean or ReduceMax over the sequence.
Forms pool_tokens(const Call& call, const Viewed& in, size_t axis);
Viewed apply_map(const Call& call, const Viewed& in, const Samples& values);
/// Input `mask` is added to (or decides about) scores before the softmax; `low` takes the place of
/// those that it takes out.
Viewed mask_scores(const Call& call, const Viewed& scores, size_t mask, MaskEffects::Kind kind,
                   double low = -INFINITY);
/// Adds constant input i, of one number a column; `in` as it is when it is left out.
Viewed add_bias(const Call& call, const Viewed& in, size_t i);
/// softmax(scale * q k^T) v with rows of heads * head_size columns each.
Viewed attention(const Call& call, const Scores& scores, const Part& v);
/// `effect` becomes part of `scores`.
void apply_effect(const Call& call, const MaskEffect& effect, Scores& scores);
/// The pieces of rotary embeddings (rotary.cc): columns times numbers by position, sums of
/// such, columns side by side.
Viewed times_positions(const Call& call, const Viewed& in, const Known& factors);
/// The same where one of the two is rows of a table by position; nullopt when none is.
std::optional<Viewed> times_table(const Call& call, const Viewed& a, const Viewed& b);
Viewed scaled_mix(const Call& call, const Viewed& in, double factor);
Viewed add_mixes(const Call& call, const Viewed& a, const Viewed& b, bool subtract);
Viewed join_columns(const Call& call, const std::vector<Viewed>& parts);
/// A Mix that turns pairs of channels as a rotary embedding does, as that, and what it is scaled
/// by.
Viewed rotated(const Call& call, const Viewed& in, double* scale);
/// Refuses a mask input of a fused attention operator that is not the padding mask, or that is
/// missing.
void check_mask_input(const Call& call, size_t i);
EmbeddingTable table_of(const Call& call, const Constant& rows, const Known& indices);
/// The weight of a quantized product from its integers, scale and zero point (inputs of the node;
/// kNone: left out).
constexpr size_t kNone = static_cast<size_t>(-1);
Constant quantized_constant(const Call& call, size_t integers, size_t scale, size_t zero_point,
                            int64_t axis);
/// The minimum or maximum of each row (row_quantized.cc).
Viewed row_bound(const Call& call, const Viewed& in, bool keep_axis);
/// What operator `op` makes of two pieces of a row-wise quantization; nullopt when they are none.
std::optional<Viewed> row_quantization(const Call& call, const Viewed& a, const Viewed& b,
                                       const std::string& op);
/// `in` times a constant for each column where that is part of a row-wise quantization.
std::optional<Viewed> row_scaled(const Call& call, const Viewed& in,
                                 const std::vector<float>& factors);
/// Gather of several columns of each row.
Viewed pick_columns(const Call& call, const Viewed& in, const std::vector<int64_t>& channels);
/// QuantizeLinear of rows that lie between 0 and 1.
std::optional<Viewed> quantize_unit_rows(const Call& call, const Viewed& in);
/// Rows of an integer table times their scales, gathered by the same ids.
std::optional<Viewed> scaled_embedding(const Call& call, const Viewed& a, const Viewed& b);
/// in * stat: the last step of a normalization written out.
Viewed times_stat(const Call& call, const Viewed& in, const Stat& stat, const Samples& factor);
/// A product or quotient with numbers that depend on the mask: pooling.
Viewed times_known(const Call& call, const Viewed& in, const Known& known, bool divide);
Viewed normalize_rows(const Call& call, const Viewed& in, NormKind kind, std::vector<float> gamma,
                      std::vector<float> beta, double epsilon, int64_t group = 0);

}  // namespace embedforge::recognize
