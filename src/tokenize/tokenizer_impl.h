// What a tokenizer holds, and the steps from a text to its tokens.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tokenize/files/components.h"
#include "tokenize/models/bert_fast_path.h"
#include "tokenize/scratch.h"
#include "tokenize/tokenizer.h"

namespace embedforge {

inline constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();

/// What the post-processing puts around one sequence.
struct Affixes {
  std::vector<int32_t> before;
  std::vector<int32_t> after;
};

struct Tokenizer::Impl {
  explicit Impl(TokenizerParts all);

  bool cuts_left(const TokenizeOptions& options) const {
    return options.side ? *options.side == TruncationSide::kLeft : parts.cuts_left;
  }
  size_t content_limit(const TokenizeOptions& options, bool pair) const;
  void cut(std::string_view text, bool aligned, Scratch& scratch) const;
  void tokenize(std::string_view piece, std::vector<Token>& tokens) const;
  Encoding encode_sequence(std::string_view text, size_t limit) const;
  bool append_bert(std::string_view text, size_t limit, Scratch& scratch,
                   std::vector<int32_t>& ids) const;
  void append_content(std::string_view text, size_t limit, Scratch& scratch,
                      std::vector<int32_t>& ids) const;
  void append_pieces(std::string_view text, size_t limit, Scratch& scratch,
                     std::vector<int32_t>& ids) const;
  void append_piece(std::string_view piece, size_t limit, Scratch& scratch,
                    std::vector<int32_t>& ids) const;
  std::optional<Affixes> find_affixes(bool add_special_tokens) const;

  TokenizerParts parts;
  AddedTokenMatcher raw_matcher;         // looked for in the text as given
  AddedTokenMatcher normalized_matcher;  // looked for in the normalized text
  std::unordered_map<int32_t, std::string> added_texts;
  std::unordered_set<std::string> special_texts;
  int32_t unknown_with_own_text = -2;  // Unigram's unknown token shows the text that it stands for
  bool aligned_ids = false;            // ids depend on origins
  std::optional<Affixes> affixes[2];   // without and with special tokens
  std::optional<BertFastPath> bert;
  std::optional<BertFastPath> bert_normalized;  // the same for text that is normalized already
  mutable ScratchPool pool;
};

}  // namespace embedforge
