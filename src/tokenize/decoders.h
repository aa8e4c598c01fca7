// Takes: the texts of tokens. Gives: the text that they stand for. Never: looks at ids.
#pragma once

#include <string>
#include <variant>
#include <vector>

namespace embedforge {

struct WordPieceDecoder {
  std::string prefix = "##";
  bool cleanup = true;  // no space before punctuation and English contractions
};

using Decoder = std::variant<WordPieceDecoder>;

/// Applies the decoders in order and joins what is left.
std::string decode_tokens(const std::vector<Decoder>& steps, std::vector<std::string> tokens);

}  // namespace embedforge
