// Takes: the node that gives attention, its heads side by side. Gives: where its q, k and v come
// from, and what masks it. Never: depends on how an exporter wrote it.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "passes/recognized.h"

namespace embedforge::passes {

/// Rotary position embedding of whole heads, halves apart: for d < D/2, with a = angle(s, d),
/// out[d] = x[d] cos a - x[d + D/2] sin a and out[d + D/2] = x[d + D/2] cos a + x[d] sin a.
struct Turned {
  std::string value;  // what the rotation makes
  std::string cos;    // D numbers a position, the second half equal to the first
  std::string sin;
  int64_t head_size = 0;
};

/// Columns [column, column + heads * head_size) of a value [batch, sequence, width], head by head.
struct Heads {
  std::string value;
  int64_t column = 0;
  int64_t width = 0;
  std::optional<Turned> turned;
};

/// softmax(scale q k^T + bias, without padding) v, as [batch, sequence, heads * head_size].
struct AttentionMatch {
  std::array<Heads, 3> operands;  // q, k, v
  int64_t heads = 0;
  int64_t head_size = 0;
  float scale = 0;
  bool masked = false;     // padding of the graph's mask input is left out
  float masked_score = 0;  // what was added to the score of padding
  std::string bias;        // [batch or 1, heads or 1, sequence, sequence]; "" for none
};

/// nullopt where the fused operators can't say what it is.
std::optional<AttentionMatch> match_attention(const Editor& editor, const Recognized& recognized,
                                              const recognize::Context& context);

}  // namespace embedforge::passes
