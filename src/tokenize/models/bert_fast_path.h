// Takes: a text without added tokens. Gives: its ids under BertNormalizer, BertPreTokenizer and
// WordPiece in one pass over the bytes. Never: offsets; and it declines the rare text whose
// combining marks need reordering.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "tokenize/models/wordpiece.h"
#include "tokenize/normalize/normalizers.h"
#include "tokenize/scratch.h"

namespace embedforge {

class BertFastPath {
 public:
  /// `model` must outlive this.
  BertFastPath(const BertNormalizer& normalizer, const WordPiece& model);
  BertFastPath(const BertFastPath&) = delete;
  BertFastPath& operator=(const BertFastPath&) = delete;
  ~BertFastPath();

  /// Appends ids until the text (valid UTF-8) ends or `ids` holds at least `limit`. False:
  /// declined, `ids` is as before.
  bool append(std::string_view text, size_t limit, Scratch& scratch,
              std::vector<int32_t>& ids) const;
  /// Writes the normalized text to `out`. False: declined.
  bool normalized_text(std::string_view text, std::string& out) const;

 private:
  enum class Kind : uint8_t { kDrop, kSpace, kWord, kAlone, kComplex };
  /// What becomes of one code point.
  struct Character {
    Kind kind = Kind::kDrop;
    uint8_t length = 0;
    char bytes[10] = {};  // what normalization makes of it; meaningless in kComplex
    int32_t id = -1;      // kAlone: the id of this word of one character; -1: no single id
  };
  static_assert(sizeof(Character) == 16);
  using Page = std::array<Character, 256>;

  Character analyze(char32_t c) const;
  const Character& character(char32_t c) const;
  void append_word(std::string& word, size_t length, Scratch& scratch,
                   std::vector<int32_t>& ids) const;

  std::vector<Normalizer> normalizer_;
  const WordPiece& model_;
  // By byte: 0 goes, ' ' ends a word, 0x80 is for a closer look (lone characters, not ASCII), any
  // other joins the word.
  std::array<uint8_t, 256> ascii_{};
  std::array<int32_t, 128> alone_ids_{};
  // By byte: what normalization makes of the ASCII characters that it makes one other (not 0) of; 0
  // for the rest.
  std::array<char, 256> rewritten_{};
  mutable std::array<std::atomic<const Page*>, 0x1100> pages_{};  // made when first used
};

}  // namespace embedforge
