// Takes: the pieces of a text. Gives: the same pieces with their text rewritten and aligned. Never:
// splits or touches added tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "tokenize/normalize/precompiled.h"
#include "tokenize/pieces.h"
#include "tokenize/split/pattern.h"

namespace embedforge {

struct BertNormalizer {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  bool strip_accents = true;
  bool lowercase = true;
};

/// NFD, NFKD (`compatible`), NFC and NFKC (`compose`) of Unicode 9.
struct UnicodeNormalizer {
  bool compatible = false;
  bool compose = false;
};

struct LowercaseNormalizer {};

/// Drops combining marks; usually behind NFD.
struct StripAccentsNormalizer {};

/// White space at the ends.
struct StripNormalizer {
  bool left = true;
  bool right = true;
};

struct ReplaceNormalizer {
  Pattern pattern;
  std::string content;
};

/// Before a text that is not empty.
struct PrependNormalizer {
  std::string prefix;
};

/// The rules of Google's NMT: drops control characters, turns odd white space into spaces.
struct NmtNormalizer {};

/// Every byte becomes the character that stands for it in byte-level vocabularies.
struct ByteLevelNormalizer {};

/// The rules that a sentencepiece model carries.
struct PrecompiledNormalizer {
  std::shared_ptr<const PrecompiledCharsMap> map;
};

using Normalizer =
    std::variant<BertNormalizer, UnicodeNormalizer, LowercaseNormalizer, StripAccentsNormalizer,
                 StripNormalizer, ReplaceNormalizer, PrependNormalizer, NmtNormalizer,
                 ByteLevelNormalizer, PrecompiledNormalizer>;

/// Applies the normalizers in order to every piece that is not an added token; `scratch` is working
/// space.
void normalize(const std::vector<Normalizer>& steps, Pieces& pieces, Pieces& scratch);

/// Whether the steps need origins to give the right text: the reference's rewriting of what an
/// empty match inserted does.
bool needs_origins(const std::vector<Normalizer>& steps);

}  // namespace embedforge
