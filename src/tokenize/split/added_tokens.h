// Takes: a text or its normalized pieces. Gives: the pieces with the added tokens cut out. Never:
// normalizes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tokenize/models/trie.h"
#include "tokenize/pieces.h"

namespace embedforge {

struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool single_word = false;  // only between characters that are not of a word
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // and after it
  bool normalized = false;   // looked for in the normalized text
  bool special = false;
};

/// Leftmost longest matches of one group of added tokens.
class AddedTokenMatcher {
 public:
  struct Match {
    uint32_t begin;
    uint32_t end;
    int32_t id;
  };

  AddedTokenMatcher() = default;
  /// `patterns[i]` is what to look for when it is not `tokens[i].content`.
  explicit AddedTokenMatcher(const std::vector<AddedToken>& tokens,
                             const std::vector<std::string>& patterns);

  bool empty() const { return tokens_.empty(); }
  /// Whether any byte of the text can start a match; a quick refusal.
  bool may_match(std::string_view text) const;
  /// Appends the matches in order, widened by lstrip and rstrip.
  void find(std::string_view text, std::vector<Match>& matches) const;
  /// Cuts every piece without a token at the matches; empty pieces go.
  void split(Pieces& pieces, std::vector<Piece>& scratch) const;

 private:
  std::vector<AddedToken> tokens_;
  Trie trie_;
  std::array<bool, 256> starts_{};
  std::vector<char> first_bytes_;
};

}  // namespace embedforge
