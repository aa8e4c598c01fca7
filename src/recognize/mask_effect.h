// Takes: what a graph adds to attention scores, or chooses between them by, for each probe. Gives:
// what that does to them. Never: assumes from an operator's name.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "recognize/form.h"
#include "recognize/probe.h"

namespace embedforge::recognize {

/// What is added to a score of which nothing shall remain is at most this: exp() of it is 0 in
/// float; exporters use -10000 and less.
inline constexpr double kVeryNegative = -9000;

/// What a mask does to scores before the softmax.
struct MaskEffect {
  bool understood = false;
  bool padding = false;              // takes out keys that are padding
  bool causal = false;               // takes out keys after the query
  int64_t window = -1;               // takes out keys further away than that; -1: none
  int64_t bias_heads = 0;            // 1, or as many as there are heads
  std::vector<float> relative_bias;  // [bias_heads, 2 * span - 1] by key - query, clamped; or empty
  int64_t bias_length = 0;  // the probes show the bias for texts up to that long; 0: for all
};
/// The effects of the last few masks, since most layers share theirs and reading one takes a
/// millisecond.
class MaskEffects {
 public:
  /// What is added to scores (shape [batch, heads, query, key] or one that broadcasts to it): very
  /// negative takes out, anything else must depend on head and distance alone. Or a condition
  /// under which a score is kept, and else replaced by something very negative.
  enum class Kind { kAdditive, kKeepIfTrue, kKeepIfFalse };
  MaskEffect of(const Known& mask, Kind kind, std::span<const Probe> probes);

 private:
  struct Seen {
    Known mask;
    Kind kind = Kind::kAdditive;
    MaskEffect effect;
  };
  std::vector<Seen> seen_;  // the last one is the newest
};

}  // namespace embedforge::recognize
