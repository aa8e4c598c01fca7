// Byte offsets of a text to code points.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenize/unicode/utf8.h"

namespace embedforge {

/// Counts as the reference does: an end inside a character is that character's start, an end behind
/// the text is two characters from the begin, and what begins behind the text stays in bytes.
class CodePointOffsets {
 public:
  explicit CodePointOffsets(std::string_view text) : size_(static_cast<uint32_t>(text.size())) {
    if (ascii_prefix(text) == text.size()) return;
    index_.resize(text.size());
    uint32_t count = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      count += is_utf8_boundary(text[i]) ? 1 : 0;
      index_[i] = count - 1;
    }
  }

  std::pair<uint32_t, uint32_t> operator()(uint32_t begin, uint32_t end) const {
    if (begin >= size_) return {begin, end};
    if (end < size_) return {at(begin), at(end)};
    return {at(begin), end == size_ ? at(end - 1) + 1 : at(begin) + 2};
  }

 private:
  uint32_t at(uint32_t byte) const { return index_.empty() ? byte : index_[byte]; }

  std::vector<uint32_t> index_;  // of the character that a byte belongs to; empty for ASCII
  uint32_t size_;
};

}  // namespace embedforge
