// The alphabet of byte-level vocabularies: each byte has a printable character (GPT-2's
// bytes_to_unicode). Bytes that are printable in Latin-1 stand for themselves; the others are
// U+0100 and up, in order.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "tokenize/pieces.h"

namespace embedforge {

/// The character of every byte.
const std::array<char16_t, 256>& byte_characters();

/// The byte that a character stands for, or -1.
int byte_of_character(char32_t c);

/// Bytes to characters, over a piece.
void byte_level_piece(const Pieces& in, const Piece& piece, Rewriter& out);

}  // namespace embedforge
