#include "tokenize/models/wordpiece.h"

#include "embedforge/error.h"
#include "tokenize/unicode/utf8.h"

namespace embedforge {

WordPiece::WordPiece(Vocabulary vocabulary, Options options)
    : vocabulary_(std::move(vocabulary)), options_(std::move(options)) {
  trie_ = Trie::build(vocabulary_.tokens());
  continuing_root_ = trie_.walk(options_.continuing_prefix);
  unknown_id_ = vocabulary_.id(options_.unknown_token);
}

void WordPiece::tokenize(std::string_view word, std::vector<Token>& tokens) const {
  const size_t before = tokens.size();
  const bool fits =
      word.size() <= options_.max_characters || count_code_points(word) <= options_.max_characters;
  if (fits && match(word, tokens)) return;
  tokens.resize(before);
  if (unknown_id_ < 0) {
    throw_bad_input("tokenizer: model.unk_token '" + options_.unknown_token +
                    "' is not in the vocabulary, and the text needs it");
  }
  tokens.push_back({unknown_id_, 0, static_cast<uint32_t>(word.size())});
}

/// Time: one step for each byte plus the bytes read behind a match, at most the longest vocabulary
/// entry each time.
bool WordPiece::match(std::string_view word, std::vector<Token>& tokens) const {
  const auto size = static_cast<uint32_t>(word.size());
  uint32_t root = Trie::kRoot;
  for (uint32_t start = 0; start < size; root = continuing_root_) {
    uint32_t node = root;
    int32_t best = -1;
    uint32_t best_end = start;
    for (uint32_t i = start; i < size && node != Trie::kNone;) {
      node = trie_.step(node, static_cast<uint8_t>(word[i++]));
      if (node != Trie::kNone && trie_.value(node) >= 0) {
        best = trie_.value(node);
        best_end = i;
      }
    }
    if (best < 0) return false;
    tokens.push_back({best, start, best_end});
    start = best_end;
  }
  return true;
}

}  // namespace embedforge
