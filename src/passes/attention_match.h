// Takes: the Softmax (or opset 23's Attention) of a graph. Gives: the attention around it: where
// its q, k and v come from, and what masks it. Never: depends on how an exporter moves heads about.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "passes/editor.h"
#include "passes/shapes.h"
#include "passes/rotary.h"

namespace embedforge::passes {

/// Columns [column, column + heads * head_size) of a value [batch, sequence, width], head by head.
struct Operand {
  std::string value;
  int64_t column = 0;
  int64_t width = 0;
  std::optional<Rotary> rotary;
  std::string rotated;  // the value that the rotation makes
};

/// softmax(scale q k^T + bias, without padding) v, as [batch, sequence, heads * head_size].
struct AttentionMatch {
  std::array<Operand, 3> operands;  // q, k, v
  int64_t heads = 0;
  int64_t head_size = 0;
  float scale = 0;
  bool masked = false;     // padding of the graph's mask input is left out
  float masked_score = 0;  // what was added to the score of padding
  std::string bias;        // [batch or 1, heads or 1, sequence, sequence]; "" for none
  Node* last = nullptr;    // makes the result
};

/// nullopt where anything in between isn't understood.
std::optional<AttentionMatch> match_attention(const Editor& editor, const Shapes& shapes,
                                              Node& center);

}  // namespace embedforge::passes
