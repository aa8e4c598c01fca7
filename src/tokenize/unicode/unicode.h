// Takes: code points. Gives: the classes, case and decompositions that the `tokenizers` package
// uses. Never: follows the newest Unicode: categories are of version 8, normalization of version 9
// (docs/tokenizers.md).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace embedforge {

enum UnicodeClass : uint16_t {
  kIsOther = 1 << 0,
  kIsNonspacingMark = 1 << 1,
  kIsPunctuation = 1 << 2,
  kIsWhitespace = 1 << 3,
  kIsNumeric = 1 << 4,
  kIsWord = 1 << 5,
  kIsCombiningMark = 1 << 6,
  kHasClass = 1 << 7,
  kHasCanonical = 1 << 8,
  kHasCompatible = 1 << 9,
  kIsRegexLetter = 1 << 10,
  kIsRegexNumber = 1 << 11,
  kIsRegexMark = 1 << 12,
  kIsRegexSpace = 1 << 13,
  kHasLowercase = 1 << 14,
  kIsRecent = 1 << 15,  // known to the reference's regular expressions, but not to Unicode 14
};

/// Class bits of every code point, in shared pages of 256.
class UnicodeClasses {
 public:
  UnicodeClasses();
  uint16_t operator[](char32_t c) const { return pages_[index_[(c >> 8) & 0x1FFF]][c & 0xFF]; }

 private:
  std::array<uint16_t, 0x2000> index_{};
  std::vector<std::array<uint16_t, 256>> pages_;
};

const UnicodeClasses& unicode_classes();

inline bool is_unicode(char32_t c, uint16_t classes) {
  return (unicode_classes()[c] & classes) != 0;
}

/// The ideographs that BERT puts spaces around: eight blocks, kana and hangul not among them.
bool is_bert_chinese(char32_t c);

/// Lowercase of one code point without context; U+0130 gives two, so the result is written to `out`
/// and counted.
uint32_t to_lowercase(char32_t c, char32_t out[2]);

/// A character of Unicode 14 with the general category and UTF-8 length of `c`, which is recent.
char32_t recent_substitute(char32_t c);

/// Full canonical or compatibility decomposition of one code point, at most 18; returns how many.
inline constexpr int kMaxDecomposition = 18;
uint32_t decompose(char32_t c, bool compatible, char32_t out[kMaxDecomposition]);

/// Canonical combining class, 0 for what Unicode 9 didn't know.
uint8_t combining_class(char32_t c);

/// The primary composite of two code points, or 0.
char32_t compose(char32_t a, char32_t b);

}  // namespace embedforge
