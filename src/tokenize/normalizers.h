// Takes: the pieces of a text. Gives: the same pieces with their text rewritten and aligned. Never:
// splits or touches added tokens.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "tokenize/pieces.h"

namespace embedforge {

struct BertNormalizer {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  bool strip_accents = true;
  bool lowercase = true;
};

using Normalizer = std::variant<BertNormalizer>;

/// Applies the normalizers in order to every piece that is not an added token; `scratch` is working
/// space.
void normalize(const std::vector<Normalizer>& steps, Pieces& pieces, Pieces& scratch);

}  // namespace embedforge
