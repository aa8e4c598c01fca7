// Takes: a node and the forms of its inputs. Gives: what the operators' handlers ask of them, and
// what several handlers build. Never: walks a graph.
#pragma once

#include <algorithm>
#include <cmath>
#include <initializer_list>
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

/// One node with the forms of its inputs. Its refusals are errors of the node (kNotSupported).
class Call {
 public:
  Call(const Node& node, std::vector<const Form*> inputs, std::span<const Probe> probes,
       MaskEffects& masks, int64_t opset, bool has_mask_input, bool whole)
      : node_(node),
        inputs_(std::move(inputs)),
        probes_(probes),
        masks_(masks),
        opset_(opset),
        has_mask_input_(has_mask_input),
        whole_(whole) {}

  const Node& node() const { return node_; }
  std::span<const Probe> probes() const { return probes_; }
  std::vector<Probe> probe_list() const { return {probes_.begin(), probes_.end()}; }
  int64_t opset() const { return opset_; }
  bool has_mask_input() const { return has_mask_input_; }
  /// Attention may be of any mask: its name is kept.
  bool whole() const { return whole_; }
  size_t input_count() const { return inputs_.size(); }

  bool has(size_t i) const { return i < inputs_.size() && inputs_[i] != nullptr; }
  /// nullptr when input i is left out or of another form.
  const Viewed* viewed(size_t i) const;
  const Known* known(size_t i) const;
  const Constant* constant(size_t i) const;
  /// The same, but the node is refused without it.
  const Viewed& need_viewed(size_t i) const;
  const Constant& need_constant(size_t i) const;
  /// A Known, or a Constant as one.
  std::optional<Known> known_or_constant(size_t i) const;
  /// The numbers of a constant (dequantized), or of a known value that is the same for every probe;
  /// nullopt for others.
  std::optional<std::vector<float>> floats(size_t i) const;
  std::optional<std::vector<int64_t>> ints(size_t i) const;
  std::optional<double> scalar(size_t i) const;
  /// Integers of input i, or of the attribute where older opsets keep them.
  std::optional<std::vector<int64_t>> ints_or_attribute(size_t i, const std::string& key) const;
  MaskEffect mask_effect(const Known& mask, MaskEffects::Kind kind) const {
    return masks_.of(mask, kind, probes_);
  }
  /// An axis counted from the front.
  size_t axis(int64_t axis, size_t rank) const;

  [[noreturn]] void refuse(const std::string& why) const;

 private:
  const Node& node_;
  std::vector<const Form*> inputs_;
  std::span<const Probe> probes_;
  MaskEffects& masks_;
  int64_t opset_;
  bool has_mask_input_;
  bool whole_;
};

/// What every handler builds. The depth of expressions is bounded (kNotSupported).
template <typename T>
Ref make(const Call& call, T value, int64_t width, std::initializer_list<Ref> below) {
  int depth = 0;
  for (const Ref& each : below) depth = std::max(depth, each->depth + 1);
  constexpr int kDeepest = 5000;
  if (depth > kDeepest) call.refuse("is below too many others");
  return std::make_shared<const Expression>(Expression{std::move(value), width, depth});
}

/// The tensor of a constant, dequantized and transposed as noted.
Tensor plain(const Constant& constant);
std::vector<float> constant_floats(const Constant& constant);

// What handlers of several files need.
/// Gather where the data come from the tokens: columns, or the first token.
Forms gather_columns(const Call& call);
/// Slice of a constant table by the sequence's length: positions. Nothing for other slices.
Forms slice_table(const Call& call);
Form multiply_matrices(const Call& call, const Viewed& a, const Viewed& b, double scale);
Form product(const Call& call, const Viewed& in, const Constant& weight, std::vector<float> bias);
/// `bias` by column of the row.
Form add_vector(const Call& call, const Viewed& in, const std::vector<float>& bias);
Form residual(const Call& call, const Viewed& a, const Viewed& b);
Form add_embeddings(const Call& call, const Viewed& a, const Viewed& b);
Form apply_activation(const Call& call, const Viewed& in, Activation activation);
/// Where(mask, in, fill) and the like on tokens' values: padding made 0 or very negative.
Form fill_padding(const Call& call, const Viewed& in, const Known& condition, bool keeps_if_true,
                  double fill);
/// mask [batch, 1, sequence] times in
Form pool_by_product(const Call& call, const Known& mask, const Viewed& in);
/// ReduceSum, ReduceMean or ReduceMax over the sequence.
Forms pool_tokens(const Call& call, const Viewed& in, size_t axis);
Form apply_map(const Call& call, const Viewed& in, const Samples& values);
/// Input `mask` is added to (or decides about) scores before the softmax; `low` takes the place of
/// those that it takes out.
Form mask_scores(const Call& call, const Viewed& scores, size_t mask, MaskEffects::Kind kind,
                 double low = -INFINITY);
/// Adds constant input i, of one number a column; `in` as it is when it is left out.
Viewed add_bias(const Call& call, const Viewed& in, size_t i);
/// softmax(scale * q k^T) v with rows of heads * head_size columns each.
Form attention(const Call& call, const Scores& scores, const Part& v);
/// `effect` becomes part of `scores`.
void apply_effect(const Call& call, const MaskEffect& effect, Scores& scores);
/// The pieces of rotary embeddings (rotary.cc): columns times numbers by position, sums of
/// such, columns side by side.
Form times_positions(const Call& call, const Viewed& in, const Known& factors);
/// The same where one of the two is rows of a table by position; nullopt when none is.
std::optional<Form> times_table(const Call& call, const Viewed& a, const Viewed& b);
Form scaled_mix(const Call& call, const Viewed& in, double factor);
Form add_mixes(const Call& call, const Viewed& a, const Viewed& b, bool subtract);
Form join_columns(const Call& call, const std::vector<Viewed>& parts);
/// A Mix that turns pairs of channels as a rotary embedding does, as that, and what it is scaled
/// by.
Viewed rotated(const Call& call, const Viewed& in, double* scale);
/// Refuses a mask input of a fused attention operator that is not the padding mask, or that is
/// missing.
void check_mask_input(const Call& call, size_t i);
EmbedStep::Table table_of(const Call& call, const Constant& rows, const Known& indices);
/// The weight of a quantized product from its integers, scale and zero point (inputs of the node;
/// kNone: left out).
constexpr size_t kNone = static_cast<size_t>(-1);
Constant quantized_constant(const Call& call, size_t integers, size_t scale, size_t zero_point,
                            int64_t axis);
/// The minimum or maximum of each row (row_quantized.cc).
Form row_bound(const Call& call, const Viewed& in, bool keep_axis);
/// True for the pieces of a row-wise quantization, which mean nothing on their own.
bool is_row_quantized(const Ref& of);
/// What operator `op` makes of two such pieces; nullopt when they are none.
std::optional<Form> row_quantization(const Call& call, const Viewed& a, const Viewed& b,
                                     const std::string& op);
/// `in` times a constant for each column where that is part of a row-wise quantization.
std::optional<Form> row_scaled(const Call& call, const Viewed& in,
                               const std::vector<float>& factors);
/// Gather of several columns of each row.
Form pick_columns(const Call& call, const Viewed& in, const std::vector<int64_t>& channels);
/// QuantizeLinear of rows that lie between 0 and 1.
std::optional<Form> quantize_unit_rows(const Call& call, const Viewed& in);
/// Rows of an integer table times their scales, gathered by the same ids.
std::optional<Form> scaled_embedding(const Call& call, const Viewed& a, const Viewed& b);
/// in * stat: the last step of a normalization written out.
Form times_stat(const Call& call, const Viewed& in, const Stat& stat, const Samples& factor);
/// A product or quotient with numbers that depend on the mask: pooling.
Form times_known(const Call& call, const Viewed& in, const Known& known, bool divide);
Form normalize_rows(const Call& call, const Viewed& in, NormKind kind, std::vector<float> gamma,
                    std::vector<float> beta, double epsilon, int64_t group = 0);

}  // namespace embedforge::recognize
