// The normalization rules of a sentencepiece model (`precompiled_charsmap`): a Darts double-array
// trie from UTF-8 strings to places in a block of zero-terminated replacements.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenize/pieces.h"

namespace embedforge {

class PrecompiledCharsMap {
 public:
  /// `blob`: little-endian size of the trie in bytes, the trie's 32-bit units, the replacements
  /// (UTF-8). Errors: kBadInput with `where`.
  static PrecompiledCharsMap parse(std::string_view blob, const std::string& where);

  /// The replacement for the SHORTEST prefix of `text` that has one: it replaces all of `text`, as
  /// in the reference.
  std::optional<std::string_view> find(std::string_view text) const;
  /// An ASCII character that is a grapheme by itself before another one, and has no replacement.
  bool is_plain(char c) const {
    const auto byte = static_cast<uint8_t>(c);
    return byte < 0x80 && plain_[byte];
  }

 private:
  std::vector<uint32_t> units_;
  std::string replacements_;
  std::array<bool, 128> plain_{};
};

/// Rewrites a piece, grapheme cluster by grapheme cluster when these are under six bytes, else by
/// code points.
void precompiled_piece(const Pieces& in, const Piece& piece, Rewriter& out,
                       const PrecompiledCharsMap& map);

/// Errors: kBadInput with `where` for what is not base64.
std::string decode_base64(std::string_view text, const std::string& where);

}  // namespace embedforge
