// Takes: a graph's inputs. Gives: small batches to run its integer part on, and what a result says
// about masks and positions. Never: looks at how the graph computed the result; behaviour on every
// probe is what counts.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "recognize/form.h"

namespace embedforge::recognize {

/// A batch of sequences of different lengths.
struct Probe {
  int64_t batch = 0;
  int64_t sequence = 0;
  std::vector<int64_t> mask;   // [batch, sequence]: 1 for tokens, 0 for padding
  std::vector<int64_t> ids;    // [batch, sequence]
  std::vector<int64_t> types;  // [batch, sequence]
  std::vector<int64_t> padding_ids;

  bool attended(int64_t row, int64_t position) const { return mask[at(row, position)] != 0; }
  size_t at(int64_t row, int64_t position) const {
    return static_cast<size_t>(row * sequence + position);
  }
  /// Tokens of the row before the position.
  int64_t rank(int64_t row, int64_t position) const;
  int64_t length(int64_t row) const { return rank(row, sequence); }
};

/// Sizes that tell batch, sequence and the graph's constants apart, with padding on the right, on
/// the left, between tokens, and none; `longest` is that of the longest probe, of which the first
/// `attended` are tokens.
/// `padding_ids` stand in the middle of texts, too (a literal <pad>).
std::vector<Probe> make_probes(int64_t longest, int64_t attended,
                               std::span<const int64_t> padding_ids = {});
/// The ids that a graph compares with: one of them may be that of padding.
std::vector<int64_t> possible_padding_ids(const Graph& graph);

enum class InputRole { kTokenIds, kMask, kTokenTypes, kPositions };
/// By the names that the exporters and sentence-transformers give; nullopt for others.
std::optional<InputRole> input_role(const std::string& name);
/// Of an integer input whatever its name: a mask, types or else ids; nullopt for others.
std::optional<InputRole> likely_role(const ValueInfo& input);
/// The input's value for each probe, in the input's integer type.
Known probe_input(InputRole role, DataType type, std::span<const Probe> probes);

/// True when two numbers that the graph derived in float are one.
bool nearly(double a, double b);

/// True when each element is that of the padding mask: `attended` where a token is, `padding` where
/// none is. Shape [batch, sequence] and any further axes.
bool is_token_mask(const Known& value, double attended, double padding,
                   std::span<const Probe> probes);
/// True when each element is f(length of its sequence). Shape [batch] and any further axes.
bool is_length(const Known& value, double (*f)(double), std::span<const Probe> probes);

/// True when each element is the place of its sequence's last token (or that among the tokens).
bool is_last_token(const Known& value, std::span<const Probe> probes);

/// What a table is indexed by. Shape [batch, sequence], [1, sequence] or [sequence].
struct IndexMeaning {
  enum class Kind { kTokenId, kTokenType, kPosition, kFixed } kind = Kind::kFixed;
  int64_t offset = 0;         // kPosition: added to the position; kFixed: the index itself
  bool among_tokens = false;  // kPosition: padding before a token doesn't count
  /// kPosition: tokens with this id don't count, either, and have the index padding_row themselves.
  std::optional<int64_t> padding_id;
  int64_t padding_row = 0;
};
std::optional<IndexMeaning> index_meaning(const Known& indices, std::span<const Probe> probes);

}  // namespace embedforge::recognize
