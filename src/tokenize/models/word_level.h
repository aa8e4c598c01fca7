// Takes: one piece. Gives: the token that is equal to it, or the unknown one. Never: splits.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "embedforge/error.h"
#include "tokenize/models/token.h"
#include "tokenize/models/vocabulary.h"

namespace embedforge {

class WordLevel {
 public:
  WordLevel(Vocabulary vocabulary, std::string unknown_token)
      : vocabulary_(std::move(vocabulary)), unknown_token_(std::move(unknown_token)) {}

  /// Errors: kBadInput when the unknown token is needed and isn't in the vocabulary.
  void tokenize(std::string_view piece, std::vector<Token>& tokens) const {
    int32_t id = vocabulary_.id(piece);
    if (id < 0) id = vocabulary_.id(unknown_token_);
    if (id < 0) {
      throw_bad_input("tokenizer: model.unk_token '" + unknown_token_ +
                      "' is not in the vocabulary, and the text needs it");
    }
    tokens.push_back({id, 0, static_cast<uint32_t>(piece.size())});
  }

  const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  Vocabulary vocabulary_;
  std::string unknown_token_;
};

}  // namespace embedforge
