#include "pipeline/chunks.h"

#include <algorithm>

#include "tokenize/unicode/utf8.h"

namespace embedforge {
namespace {

bool is_gap(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

}  // namespace

std::vector<TextPiece> cut_into_pieces(std::string_view text,
                                       const std::vector<std::pair<uint32_t, uint32_t>>& offsets,
                                       size_t tokens, size_t overlap) {
  std::vector<size_t> bytes;  // where each code point begins, and the end
  bytes.reserve(text.size() + 1);
  for (size_t i = 0; i < text.size(); ++i) {
    if (is_utf8_boundary(text[i])) bytes.push_back(i);
  }
  bytes.push_back(text.size());
  const auto points = static_cast<uint32_t>(bytes.size() - 1);
  const size_t count = offsets.size();
  if (count <= tokens) return {{0, text.size(), 0, points}};

  /// Whether token t is the first of a word.
  const auto starts_word = [&](size_t t) {
    const size_t at = bytes[std::min(offsets[t].first, points)];
    return at < text.size() && (is_gap(text[at]) || (at > 0 && is_gap(text[at - 1])));
  };
  std::vector<TextPiece> pieces;
  size_t begin = 0;
  while (true) {
    size_t end = std::min(begin + tokens, count);
    if (end < count) {
      // Back to the last word's start, unless that takes half of the piece.
      size_t word = end;
      while (word > begin + tokens / 2 && !starts_word(word)) --word;
      if (word > begin + tokens / 2) end = word;
    }
    const uint32_t first = std::min(offsets[begin].first, points);
    const uint32_t last = std::clamp(offsets[end - 1].second, first, points);
    pieces.push_back({bytes[first], bytes[last], first, last});
    if (end == count) return pieces;
    size_t next = end > begin + overlap ? end - overlap : begin + 1;
    size_t word = next;
    while (word < end && !starts_word(word)) ++word;
    if (word < end) next = word;
    if (overlap == 0) next = end;
    begin = std::max(next, begin + 1);
  }
}

}  // namespace embedforge
