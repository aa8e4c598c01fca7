// Takes: a program. Gives: operations in the form that execute.cc runs: fused, weights packed,
// every value in a slot. Never: looks at a batch.
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "engine/packed_linear.h"
#include "kernels/table.h"
#include "plan/program.h"

namespace embedforge {

struct NormValues {
  NormKind kind = NormKind::kLayerNorm;
  std::vector<float> gamma, beta;
  float epsilon = 0;
};

struct EmbedOp {
  EmbedStep step;
  ValueId out = 0;
  std::optional<NormValues> norm;
};

/// Input channels of an 8-bit layer that are multiplied as floats beside it; often none.
struct FloatChannels {
  std::vector<int32_t> channels;
  int padded = 0;             // channels in whole groups, as the kernels take them
  size_t stride = 0;          // floats of a row of weight
  std::vector<float> weight;  // [padded, stride]
};

/// out = norm(act(in * weight + bias) + add)
struct LinearOp {
  ValueId in = 0, out = 0;
  ValueId add = -1;
  PackedLinear weight;
  std::vector<float> channel_scale;  // of the input, or empty
  FloatChannels floats;
  std::vector<float> bias;
  Activation act = Activation::kNone;
  std::optional<NormValues> norm;
};

/// out = norm(act(in * up + up_bias) * down + down_bias + add), in chunks of the inner width that
/// stay in the cache.
struct FeedForwardOp {
  ValueId in = 0, out = 0;
  ValueId add = -1;
  int chunk = 0;                            // inner columns at a time
  PackedLinear up;                          // [width, inner]
  std::vector<float> up_scale, down_scale;  // of the input channels, or empty
  FloatChannels up_floats;
  std::vector<float> up_bias;
  Activation act = Activation::kNone;
  std::vector<PackedLinear> down;          // rows of [inner, width], one a chunk
  std::vector<FloatChannels> down_floats;  // one a chunk, channels counted from its begin
  std::vector<float> down_bias;
  std::optional<NormValues> norm;
};

struct AttentionOp {
  AttentionStep step;
  void (*kernel)(const kernels::AttentionArgs& args) noexcept = nullptr;
  bool last = false;  // no later step mixes tokens, so rows that nobody wants end here
};

struct HeadsOp {
  HeadsStep step;
  size_t rotary = 0;  // of Compiled::rotaries
};

struct NormOp {
  ValueId in = 0, out = 0;
  NormValues norm;
};

using Op =
    std::variant<EmbedOp, LinearOp, FeedForwardOp, HeadsOp, AttentionOp, NormOp, AddStep, GateStep>;

struct Compiled {
  std::vector<Op> ops;
  std::vector<int> slot_of_value;  // -1: a value that fusion made disappear
  std::vector<int> slot_width;     // floats a row
  std::vector<int64_t> widths;     // of each value
  std::vector<Rotary> rotaries;    // each once
  ValueId hidden = -1;
  int hidden_size = 0;
  int64_t max_positions = 0, vocabulary = 0;
};

/// Packed weights come from `cache` (may be null) when it has them, and go to it when it doesn't.
/// Errors: kNotSupported for a step that no kernel computes; as pack_linear().
Compiled compile(const Program& program, Compute compute, const kernels::KernelTable& table,
                 PackCache* cache = nullptr);

}  // namespace embedforge
