// Texts as a model takes them: token ids of all of them, one text after another, without padding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace embedforge {

/// Sequences one after another: sequence i has the tokens [offsets[i], offsets[i + 1]).
struct TokenBatch {
  std::span<const int32_t> ids;
  std::span<const int32_t> type_ids;  // empty: all 0
  std::span<const size_t> offsets;    // sequences + 1 entries
  size_t skip = 0;                    // tokens at the start of each that pooling leaves out

  size_t sequences() const { return offsets.empty() ? 0 : offsets.size() - 1; }
  size_t length(size_t i) const { return offsets[i + 1] - offsets[i]; }
};

}  // namespace embedforge
