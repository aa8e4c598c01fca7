// Takes: one word. Gives: its longest-match-first pieces, or the unknown token for all of it.
// Never: more than linear time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenize/models/token.h"
#include "tokenize/models/trie.h"
#include "tokenize/models/vocabulary.h"

namespace embedforge {

class WordPiece {
 public:
  struct Options {
    std::string unknown_token = "[UNK]";
    std::string continuing_prefix = "##";
    size_t max_characters = 100;
  };

  /// Errors: kBadInput for an empty vocabulary. A missing unknown token is an error only when it is
  /// needed, as in the reference.
  WordPiece(Vocabulary vocabulary, Options options);

  /// Appends the tokens of `word` (not empty). Errors: kBadInput when the unknown token is needed
  /// and isn't in the vocabulary.
  void tokenize(std::string_view word, std::vector<Token>& tokens) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }
  const Options& options() const { return options_; }
  /// -1 when the vocabulary lacks the unknown token.
  int32_t unknown_id() const { return unknown_id_; }

 private:
  bool match(std::string_view word, std::vector<Token>& tokens) const;

  Vocabulary vocabulary_;
  Options options_;
  Trie trie_;
  uint32_t continuing_root_ = Trie::kNone;  // the node behind the prefix
  int32_t unknown_id_ = -1;
};

}  // namespace embedforge
