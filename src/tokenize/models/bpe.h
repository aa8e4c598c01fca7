// Takes: one piece. Gives: the tokens that byte-pair merges make of it, best rank first. Never:
// more than n log n time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tokenize/models/merge_table.h"
#include "tokenize/models/token.h"
#include "tokenize/models/vocabulary.h"

namespace embedforge {

class Bpe {
 public:
  struct Options {
    std::string unknown_token;  // empty: characters outside of the vocabulary are left out
    std::string continuing_prefix;
    std::string word_suffix;
    bool fuse_unknown = false;
    bool byte_fallback = false;
    bool ignore_merges = false;  // a piece that is in the vocabulary is a token
  };
  using Merges = std::vector<std::pair<std::string, std::string>>;

  /// Errors: kBadInput with `where` and the number of a merge that names no token.
  Bpe(Vocabulary vocabulary, const Merges& merges, Options options, const std::string& where);

  /// Appends the tokens of `piece` (not empty). Errors: kBadInput when the unknown token is needed
  /// and isn't in the vocabulary.
  void tokenize(std::string_view piece, std::vector<Token>& tokens) const;

  /// Where the part of `piece` that starts at `begin` and no merge can leave ends: before a U+2581
  /// that follows another character, when no merge gives a token that holds such a pair; else at
  /// the end of the piece. Parts may be tokenized one by one.
  uint32_t part_end(std::string_view piece, uint32_t begin) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  struct Symbol;
  struct Candidate;

  int32_t character_id(std::string_view piece, uint32_t begin, uint32_t end) const;
  bool append_bytes(std::string_view text, std::vector<Symbol>& symbols) const;
  int32_t unknown_id() const;
  void tokenize_part(std::string_view piece, uint32_t offset, std::vector<Token>& tokens) const;
  void split(std::string_view piece, std::vector<Symbol>& symbols) const;
  void merge_short(std::vector<Symbol>& symbols) const;
  void merge_long(std::vector<Symbol>& symbols) const;

  Vocabulary vocabulary_;
  Options options_;
  MergeTable merges_;
  std::vector<int32_t> character_ids_;  // of code points below kDirect without prefix and suffix
  bool has_parts_ = false;
  std::vector<int32_t> byte_ids_;  // of <0x00> to <0xFF>
};

}  // namespace embedforge
