// Takes: nothing; these are the data that raise() makes and the engine runs.
// Gives: an encoder as a flat list of steps over ragged matrices. Never: refers to ONNX operators
// or to a processor.
//
// A value is a matrix of float with one row per token (tokens of all sequences of the batch, one
// after another, no padding) and a fixed width; values are numbered. Each step reads values and
// defines one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/activation.h"
#include "embedforge/pooling.h"
#include "graph/graph.h"

namespace embedforge {

using ValueId = int;

enum class NormKind { kLayerNorm, kRmsNorm };

/// How activations that enter a quantized product become integers.
struct ActivationQuant {
  bool dynamic = true;  // scale and zero point from each token's own range
  float scale = 0;      // static: real = scale * (q - zero_point), q in 0..255
  int32_t zero_point = 0;
  /// By input channel: what an activation is multiplied by before it becomes an integer (the
  /// weight's rows are divided by it already); 0 for float_channels. Empty: 1 for all.
  std::vector<float> channel_scale;
};

/// The matrix of a Linear step: y[n] = sum_k x[k] * w(k, n). Either float, or int8 with a scale per
/// column.
struct Weight {
  int64_t k = 0;  // input width
  int64_t n = 0;  // output width
  Tensor data;    // kFloat, kFloat16 or kBfloat16; or kInt8 / kUint8: w = scales[n] * (q -
                  // zero_points[n])
  bool transposed = false;           // false: stored [k, n]; true: stored [n, k]
  std::vector<float> scales;         // quantized: n values (a per-tensor scale is repeated)
  std::vector<int32_t> zero_points;  // quantized: n values
  std::optional<ActivationQuant> activation;  // set when the file's product is an integer one
  /// Outlier channels of an integer product, whose activations stay float:
  /// y[n] += sum_j x[float_channels[j]] * float_rows[j * n_count + n].
  std::vector<int32_t> float_channels;
  std::vector<float> float_rows;
  std::string name;  // of the initializer, for messages
  /// Where several products became one: their weights, whose columns lie side by side in this one.
  /// `data` has no bytes then; with_values() makes them.
  std::vector<Weight> parts;

  bool quantized() const { return !scales.empty(); }
};

/// The weight with the bytes of its data. Copies them only where it has parts.
Weight with_values(const Weight& weight);

/// out[t] = sum over tables of row(table, t), then normalized. Sources: token id, position in the
/// sequence, token type.
struct EmbedStep {
  enum class Source { kTokenId, kPosition, kTokenType };
  struct Table {
    Source source = Source::kTokenId;
    Tensor rows;  // [vocabulary, width]; kFloat, kFloat16, kBfloat16, or quantized kInt8 / kUint8
    int64_t offset = 0;  // kPosition: row = position + offset (RoBERTa starts after the padding id)
    std::vector<float> scales;  // quantized: one, or one a row
    std::vector<int32_t> zero_points;
  };
  ValueId out = 0;
  int64_t width = 0;
  std::vector<Table> tables;
};

/// out = norm(in) * gamma + beta, over the width. RMSNorm has no mean and an empty beta.
struct NormStep {
  ValueId in = 0, out = 0;
  NormKind kind = NormKind::kLayerNorm;
  std::vector<float> gamma, beta;
  float epsilon = 1e-12F;
};

/// out = activation(in * weight + bias)
struct LinearStep {
  ValueId in = 0, out = 0;
  Weight weight;
  std::vector<float> bias;  // n values, or empty
  Activation activation = Activation::kNone;
};

/// out = a + b
struct AddStep {
  ValueId a = 0, b = 0, out = 0;
};

/// out = activation(gate) * up (SwiGLU, GeGLU): two halves of one value or two values of one width.
struct GateStep {
  ValueId gate = 0, up = 0, out = 0;
  int64_t gate_column = 0, up_column = 0, width = 0;
  Activation activation = Activation::kSilu;
};

/// Pair i of a head's first 2 n channels turns by position * frequencies[i]: (a, b) becomes
/// (a cos - b sin, b cos + a sin).
struct Rotary {
  std::vector<float> frequencies;  // n, radians a position; empty: nothing turns
  bool interleaved = false;        // pair i is channels 2 i and 2 i + 1; else i and i + n
  bool operator==(const Rotary&) const = default;
};

/// out = in, with the columns of `heads` heads from `column` on normalized (RMS, each head by
/// itself) where gamma is given, then rotated.
struct HeadsStep {
  ValueId in = 0, out = 0;
  int64_t column = 0, heads = 0, head_size = 0;
  std::vector<float> gamma;  // head_size, or empty
  float epsilon = 0;
  Rotary rotary;
};

/// out = softmax(scale * q k^T [+ bias by distance]) v for each head within each sequence.
/// heads / kv_heads heads share a head of k and v.
struct AttentionStep {
  ValueId q = 0, k = 0, v = 0, out = 0;
  int64_t q_column = 0, k_column = 0,
          v_column = 0;  // where each starts in its value (one fused QKV value: 0, h, 2h)
  int64_t heads = 0, kv_heads = 0, head_size = 0;
  float scale = 1;  // applied to q k^T
  bool causal = false;
  int64_t window = -1;  // attends to |i - j| <= window; -1: to all
  std::vector<float>
      relative_bias;  // [heads, 2 * span - 1] by j - i + span - 1 (clamped), or empty
};

using Step =
    std::variant<EmbedStep, NormStep, LinearStep, AddStep, GateStep, HeadsStep, AttentionStep>;

/// One row per sequence; several poolings lie side by side.
struct PoolStep {
  std::vector<Pooling> poolings;
};

/// A row divided by its length.
struct NormalizeStep {};

/// A step of the head, on one row per sequence; in and out of steps count for nothing there.
using HeadStep = std::variant<PoolStep, LinearStep, NormStep, NormalizeStep>;

struct Program {
  std::vector<Step> steps;      // in order of execution
  std::vector<int64_t> widths;  // of each value
  ValueId hidden = -1;          // the token embeddings (last_hidden_state)
  /// What makes a sequence's row of `hidden`, one step after another: first a PoolStep. Empty where
  /// the graph says nothing of it; whoever loads a model folder fills it.
  std::vector<HeadStep> head;
  bool pools_itself = false;  // the graph gives no more than what `head` makes
  int64_t hidden_size = 0;
  int64_t max_positions = 0;  // longest sequence that the position table allows; 0: no such bound
  int64_t vocabulary = 0;
};

}  // namespace embedforge
