// Takes: a text and its tokens. Gives: the pieces that it is cut into, at words where that is
// possible. Never: leaves a token out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace embedforge {

/// A piece of a text: in bytes, and in code points.
struct TextPiece {
  size_t begin = 0, end = 0;
  uint32_t first = 0, last = 0;
};

/// Pieces of at most `tokens` tokens, each of which has about `overlap` tokens of the one before it
/// again. `offsets`: of the text's tokens, in code points, special ones left out. A text without a
/// token is one piece.
std::vector<TextPiece> cut_into_pieces(std::string_view text,
                                       const std::vector<std::pair<uint32_t, uint32_t>>& offsets,
                                       size_t tokens, size_t overlap);

}  // namespace embedforge
