// What expressions (form.h) and steps of a program (plan/program.h) are both made of.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "graph/graph.h"

namespace embedforge {

enum class NormKind { kLayerNorm, kRmsNorm };

/// Rows that are taken by token id, position in the sequence, or token type.
struct EmbeddingTable {
  enum class Source { kTokenId, kPosition, kTokenType };
  Source source = Source::kTokenId;
  Tensor rows;  // [vocabulary, width]; kFloat, kFloat16, kBfloat16, or quantized kInt8 / kUint8
  int64_t offset = 0;  // kPosition: row = position + offset (RoBERTa starts after the padding id)
  /// kPosition: tokens with this id aren't counted and take one row all, as RoBERTa's do
  /// (create_position_ids_from_input_ids of transformers).
  std::optional<int64_t> padding_id;
  int64_t padding_row = 0;
  std::vector<float> scales;  // quantized: one, or one a row
  std::vector<int32_t> zero_points;
};

/// Pair i of a head's first 2 n channels turns by position * frequencies[i]: (a, b) becomes
/// (a cos - b sin, b cos + a sin).
struct Rotary {
  std::vector<float> frequencies;  // n, radians a position; empty: nothing turns
  bool interleaved = false;        // pair i is channels 2 i and 2 i + 1; else i and i + n
  bool operator==(const Rotary&) const = default;
};

}  // namespace embedforge
