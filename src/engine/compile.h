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

/// What ends a layer: out = norm(act(x + bias) + add).
struct Tail {
  std::vector<float> bias;  // by column, or empty
  Activation act = Activation::kNone;
  std::optional<ValueId> add;
  std::optional<NormStep> norm;
};

struct EmbedOp {
  EmbedStep step;
  std::optional<NormStep> norm;
};

/// The product of the input with a weight, and the tail.
struct LinearOp {
  PackedLinear weight;
  Tail tail;
};

/// Two layers, in chunks of the inner width that stay in the cache. The first one's tail is no more
/// than a bias and an activation.
struct FeedForwardOp {
  size_t chunk = 0;  // inner columns at a time
  PackedLinear up;   // [width, inner]
  Tail inner;
  std::vector<PackedLinear> down;  // rows of [inner, width], one a chunk
  Tail tail;
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

struct Op {
  std::vector<ValueId> in;  // that it reads; layers multiply the first
  ValueId out = 0;
  std::variant<EmbedOp, LinearOp, FeedForwardOp, HeadsOp, AttentionOp, NormStep, AddStep, GateStep>
      as;
};

struct Compiled {
  std::vector<Op> ops;
  std::vector<size_t> slot_of_value;  // of those that an operation defines
  std::vector<size_t> slot_width;     // floats a row
  std::vector<size_t> widths;         // of each value
  std::vector<Rotary> rotaries;       // each once
  ValueId hidden = 0;
  size_t hidden_size = 0, max_positions = 0, vocabulary = 0;
};

struct CompileOptions {
  Compute compute = Compute::kAuto;
  /// Packed weights come from it (may be null) when it has them, and go to it when it doesn't.
  PackCache* cache = nullptr;
  /// False: operation i is step i, and layers have no weights yet; see linear_op().
  bool fuse = true;
};

/// Errors: kNotSupported for a step that no kernel computes; as pack_linear().
Compiled compile(const Program& program, const kernels::KernelTable& table,
                 const CompileOptions& options);

/// A step by itself, in float32.
LinearOp linear_op(const LinearStep& step, const kernels::KernelTable& table);

}  // namespace embedforge
