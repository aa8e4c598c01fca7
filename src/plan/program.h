// Takes: nothing; these are the data that raise() makes and the engine runs.
// Gives: an encoder as a flat list of steps over ragged matrices. Never: refers to ONNX operators
// or to a processor.
//
// A value is a matrix of float with one row per token (tokens of all sequences of the batch, one
// after another, no padding) and a fixed width; values are numbered. Each step reads values and
// defines one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "base/activation.h"
#include "embedforge/pooling.h"
#include "recognize/parts.h"
#include "recognize/weight.h"

namespace embedforge {

using ValueId = size_t;
inline constexpr ValueId kNoValue = static_cast<ValueId>(-1);

/// out[t] = sum over tables of row(table, t), then normalized.
struct EmbedStep {
  using Table = EmbeddingTable;
  using Source = EmbeddingTable::Source;
  ValueId out = 0;
  size_t width = 0;
  std::vector<Table> tables;
  std::vector<ValueId> inputs() const { return {}; }
};

/// out = norm(in) * gamma + beta, over the width. RMSNorm has no mean and an empty beta.
struct NormStep {
  ValueId in = 0, out = 0;
  NormKind kind = NormKind::kLayerNorm;
  std::vector<float> gamma, beta;
  float epsilon = 1e-12F;
  std::vector<ValueId> inputs() const { return {in}; }
};

/// out = activation(in * weight + bias)
struct LinearStep {
  ValueId in = 0, out = 0;
  Weight weight;
  std::vector<float> bias;  // n values, or empty
  Activation activation = Activation::kNone;
  std::vector<ValueId> inputs() const { return {in}; }
};

/// out = a + b
struct AddStep {
  ValueId a = 0, b = 0, out = 0;
  std::vector<ValueId> inputs() const { return {a, b}; }
};

/// out = activation(gate) * up (SwiGLU, GeGLU): two halves of one value or two values of one width.
struct GateStep {
  ValueId gate = 0, up = 0, out = 0;
  size_t gate_column = 0, up_column = 0, width = 0;
  Activation activation = Activation::kSilu;
  std::vector<ValueId> inputs() const { return {gate, up}; }
};

/// out = in, with the columns of `heads` heads from `column` on normalized (RMS, each head by
/// itself) where gamma is given, then rotated.
struct HeadsStep {
  ValueId in = 0, out = 0;
  size_t column = 0, heads = 0, head_size = 0;
  std::vector<float> gamma;  // head_size, or empty
  float epsilon = 0;
  Rotary rotary;
  std::vector<ValueId> inputs() const { return {in}; }
};

/// out = softmax(scale * q k^T [+ bias by distance]) v for each head within each sequence.
/// heads / kv_heads heads share a head of k and v.
struct AttentionStep {
  ValueId q = 0, k = 0, v = 0, out = 0;
  size_t q_column = 0, k_column = 0,
         v_column = 0;  // where each starts in its value (one fused QKV value: 0, h, 2h)
  size_t heads = 0, kv_heads = 0, head_size = 0;
  float scale = 1;  // applied to q k^T
  bool causal = false;
  int64_t window = -1;  // attends to |i - j| <= window; -1: to all
  std::vector<float>
      relative_bias;  // [heads, 2 * span - 1] by j - i + span - 1 (clamped), or empty
  std::vector<ValueId> inputs() const { return {q, k, v}; }
};

using Step =
    std::variant<EmbedStep, NormStep, LinearStep, AddStep, GateStep, HeadsStep, AttentionStep>;

/// The values that a step reads (twice where it does so twice), and the one that it defines.
inline std::vector<ValueId> inputs(const Step& step) {
  return std::visit([](const auto& s) { return s.inputs(); }, step);
}
inline ValueId output(const Step& step) {
  return std::visit([](const auto& s) { return s.out; }, step);
}

/// One row per sequence; several poolings lie side by side.
struct PoolStep {
  std::vector<Pooling> poolings;
};

/// A row divided by its length.
struct NormalizeStep {};

/// A step of the head, on one row per sequence; in and out of steps count for nothing there.
using HeadStep = std::variant<PoolStep, LinearStep, NormStep, NormalizeStep>;

struct Program {
  std::vector<Step> steps;     // in order of execution
  std::vector<size_t> widths;  // of each value
  ValueId hidden = kNoValue;   // the token embeddings (last_hidden_state)
  /// What makes a sequence's row of `hidden`, one step after another: first a PoolStep. Empty where
  /// the graph says nothing of it; whoever loads a model folder fills it.
  std::vector<HeadStep> head;
  bool pools_itself = false;  // the graph gives no more than what `head` makes
  size_t hidden_size = 0;
  size_t max_positions = 0;  // longest sequence that the position table allows; 0: no such bound
  size_t vocabulary = 0;
};

}  // namespace embedforge
