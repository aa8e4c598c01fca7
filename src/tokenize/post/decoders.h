// Takes: the texts of tokens. Gives: the text that they stand for. Never: looks at ids.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "tokenize/split/pattern.h"

namespace embedforge {

struct WordPieceDecoder {
  std::string prefix = "##";
  bool cleanup = true;  // no space before punctuation and English contractions
};

/// The suffix of a word becomes a space, that of the last one goes.
struct BpeDecoder {
  std::string suffix = "</w>";
};

/// The characters of byte-level vocabularies back to bytes; what is no UTF-8 then becomes U+FFFD.
struct ByteLevelDecoder {};

struct MetaspaceDecoder {
  char32_t replacement = 0x2581;
  bool strip_first = true;  // in the first token the mark goes
};

struct ReplaceDecoder {
  Pattern pattern;
  std::string content;
};

struct FuseDecoder {};

struct StripDecoder {
  char32_t content = U' ';
  size_t start = 0;  // at most so many at each end
  size_t stop = 0;
};

/// Runs of <0x41> become the bytes that they name, U+FFFD each when these are no UTF-8.
struct ByteFallbackDecoder {};

struct CtcDecoder {
  std::string pad_token = "<pad>";
  std::string word_delimiter = "|";
  bool cleanup = true;
};

using Decoder =
    std::variant<WordPieceDecoder, BpeDecoder, ByteLevelDecoder, MetaspaceDecoder, ReplaceDecoder,
                 FuseDecoder, StripDecoder, ByteFallbackDecoder, CtcDecoder>;

/// Applies the decoders in order and joins what is left.
std::string decode_tokens(const std::vector<Decoder>& steps, std::vector<std::string> tokens);

}  // namespace embedforge
