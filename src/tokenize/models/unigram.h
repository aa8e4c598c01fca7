// Takes: one piece. Gives: its most likely tokens (Viterbi over a double-array trie). Never: more
// than linear time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenize/models/token.h"
#include "tokenize/models/trie.h"
#include "tokenize/models/vocabulary.h"

namespace embedforge {

class Unigram {
 public:
  struct Options {
    int32_t unknown_id = -1;  // -1: none
    bool byte_fallback = false;
  };

  /// `scores`: by id. Errors: kNotSupported for a vocabulary past the trie's limits.
  Unigram(Vocabulary vocabulary, std::vector<double> scores, Options options);

  /// Appends the tokens of `piece` (not empty). Errors: kBadInput for an unknown character without
  /// an unknown token.
  void tokenize(std::string_view piece, std::vector<Token>& tokens) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }
  int32_t unknown_id() const { return options_.unknown_id; }

 private:
  void append(std::string_view text, uint32_t begin, uint32_t end,
              std::vector<Token>& tokens) const;

  Vocabulary vocabulary_;
  std::vector<double> scores_;
  Options options_;
  Trie trie_;
  double unknown_score_ = 0;
  std::vector<int32_t> byte_ids_;
};

}  // namespace embedforge
