// Takes: a graph's inputs. Gives: small batches to run its integer part on, and what a result says
// about masks and positions. Never: looks at how the graph computed the result; behaviour on every
// probe is what counts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "recognize/form.h"

namespace embedforge::recognize {

/// A batch of right-padded sequences of different lengths.
struct Probe {
  int64_t batch = 0;
  int64_t sequence = 0;
  std::vector<int64_t> lengths;
  std::vector<int64_t> ids;    // [batch, sequence]
  std::vector<int64_t> types;  // [batch, sequence]

  bool attended(int64_t row, int64_t position) const {
    return position < lengths[static_cast<size_t>(row)];
  }
};

/// Sizes that tell batch, sequence and the graph's constants apart; `longest` is that of the
/// longest probe, of which `attended` are tokens.
std::vector<Probe> make_probes(int64_t longest, int64_t attended);

enum class InputRole { kTokenIds, kMask, kTokenTypes, kPositions };
/// By the names that the exporters and sentence-transformers give; nullopt for others.
std::optional<InputRole> input_role(const std::string& name);
/// The input's value for each probe, in the input's integer type.
Known probe_input(InputRole role, DataType type, const std::vector<Probe>& probes);

/// True when two numbers that the graph derived in float are one.
bool nearly(double a, double b);

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
/// Of what is added to scores (shape [batch, heads, query, key] or one that broadcasts to it): very
/// negative takes out, anything else must depend on head and distance alone.
MaskEffect additive_effect(const Known& mask, std::span<const Probe> probes);
/// The same for a condition under which a score is kept (`keep`) or replaced by something very
/// negative.
MaskEffect condition_effect(const Known& condition, bool keep, std::span<const Probe> probes);

/// The effects of the last few masks, since most layers share theirs and reading one takes a
/// millisecond.
class MaskEffects {
 public:
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

/// True when each element is that of the padding mask: `attended` where a token is, `padding` where
/// none is. Shape [batch, sequence] and any further axes.
bool is_token_mask(const Known& value, double attended, double padding,
                   const std::vector<Probe>& probes);
/// True when each element is f(length of its sequence). Shape [batch] and any further axes.
bool is_length(const Known& value, double (*f)(double), const std::vector<Probe>& probes);

/// What a table is indexed by. Shape [batch, sequence], [1, sequence] or [sequence].
struct IndexMeaning {
  enum class Kind { kTokenId, kTokenType, kPosition, kFixed } kind = Kind::kFixed;
  int64_t offset = 0;  // kPosition: added to the position; kFixed: the index itself
};
std::optional<IndexMeaning> index_meaning(const Known& indices, const std::vector<Probe>& probes);

}  // namespace embedforge::recognize
