#include "tokenize/unicode/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "tokenize/unicode/unicode_tables.h"

namespace embedforge {
namespace {

constexpr char32_t kCodePoints = 0x110000;
// Hangul syllables are composed and decomposed by formula (The Unicode Standard, 3.12).
constexpr char32_t kSyllables = 0xAC00;
constexpr char32_t kLeads = 0x1100;
constexpr char32_t kVowels = 0x1161;
constexpr char32_t kTrails = 0x11A7;
constexpr char32_t kLeadCount = 19;
constexpr char32_t kVowelCount = 21;
constexpr char32_t kTrailCount = 28;
constexpr char32_t kSyllableCount = kLeadCount * kVowelCount * kTrailCount;

using PairMap = std::unordered_map<uint64_t, char32_t>;

uint64_t pair_key(char32_t a, char32_t b) { return (uint64_t{a} << 32) | b; }

/// The one character that `parts` compose to, or 0.
char32_t compose_all(const char32_t* parts, uint32_t count) {
  utf8proc_int32_t buffer[kMaxDecomposition];
  std::copy_n(parts, count, buffer);
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
  return utf8proc_normalize_utf32(buffer, count, options) == 1 ? static_cast<char32_t>(buffer[0])
                                                               : 0;
}

/// The pairs whose composition is a character of Unicode 9.
PairMap make_compositions() {
  PairMap pairs;
  for (const CodeRange& range : kDecomposesCanonically) {
    for (uint32_t c = range.first; c <= range.last; ++c) {
      char32_t parts[kMaxDecomposition];
      const uint32_t count = decompose(c, false, parts);
      if (count < 2 || compose_all(parts, count) != c) continue;
      const char32_t first = compose_all(parts, count - 1);
      if (first != 0) pairs.emplace(pair_key(first, parts[count - 1]), c);
    }
  }
  return pairs;
}

}  // namespace

UnicodeClasses::UnicodeClasses() {
  // Classes of whole pages are noted by page, so that only the pages at a range's ends are filled
  // code point by code point.
  std::array<uint16_t, kCodePoints / 256> whole{};
  const auto detail = [this](uint32_t c) -> uint16_t& {
    uint16_t& page = index_[c >> 8U];
    if (page == 0) {
      page = static_cast<uint16_t>(pages_.size());
      pages_.emplace_back();
    }
    return pages_[page][c & 0xFFU];
  };
  const auto mark = [&](uint32_t first, uint32_t last, uint16_t bit) {
    for (uint32_t c = first; c <= last;) {
      if ((c & 0xFFU) == 0 && last - c >= 0xFF) {
        whole[c >> 8U] |= bit;
        c += 256;
      } else {
        detail(c++) |= bit;
      }
    }
  };
  const std::pair<std::span<const CodeRange>, uint16_t> sets[] = {
      {kOther, kIsOther},
      {kNonspacingMark, kIsNonspacingMark},
      {kPunctuation, kIsPunctuation},
      {kWhitespace, kIsWhitespace},
      {kNumeric, kIsNumeric},
      {kWord, kIsWord},
      {kCombiningMark, kIsCombiningMark},
      {kHasCombiningClass, kHasClass},
      {kDecomposesCanonically, kHasCanonical},
      {kDecomposesCompatibly, kHasCompatible},
      {kRegexLetter, kIsRegexLetter},
      {kRegexNumber, kIsRegexNumber},
      {kRegexMark, kIsRegexMark},
      {kRegexSpace, kIsRegexSpace},
  };
  pages_.emplace_back();  // page 0: nothing; also for what lies beyond Unicode
  for (const auto& [ranges, bit] : sets) {
    for (const CodeRange& range : ranges) mark(range.first, range.last, bit);
  }
  for (const CaseRun& run : kLowercase) {
    for (uint32_t c = run.first; c <= run.last; c += run.step) detail(c) |= kHasLowercase;
  }
  detail(0x130) |= kHasLowercase;
  for (const SubstituteRun& run : kRecent) mark(run.first, run.last, kIsRecent);

  std::unordered_map<uint16_t, uint16_t> alike{{0, 0}};  // pages of one class throughout
  for (size_t page = 0; page < whole.size(); ++page) {
    if (index_[page] != 0) {
      for (uint16_t& classes : pages_[index_[page]]) classes |= whole[page];
      continue;
    }
    const auto [it, added] = alike.emplace(whole[page], static_cast<uint16_t>(pages_.size()));
    if (added) pages_.emplace_back().fill(whole[page]);
    index_[page] = it->second;
  }
}

const UnicodeClasses& unicode_classes() {
  static const UnicodeClasses classes;
  return classes;
}

bool is_bert_chinese(char32_t c) {
  if (c < 0x3400) return false;
  return (c >= 0x4E00 && c <= 0x9FFF) || c <= 0x4DBF || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

uint32_t to_lowercase(char32_t c, char32_t out[2]) {
  out[0] = c;
  if (c < 0x80) {
    if (c >= 'A' && c <= 'Z') out[0] = c + 32;
    return 1;
  }
  if (!is_unicode(c, kHasLowercase)) return 1;
  if (c == 0x130) {
    out[0] = 'i';
    out[1] = 0x307;
    return 2;
  }
  const auto run = std::upper_bound(kLowercase.begin(), kLowercase.end(), c,
                                    [](char32_t v, const CaseRun& r) { return v < r.first; });
  // Runs with step 2 may interleave: look back until one holds c.
  for (auto it = run; it != kLowercase.begin();) {
    --it;
    if (c <= it->last && (c - it->first) % it->step == 0) {
      out[0] = static_cast<char32_t>(static_cast<int64_t>(c) + it->delta);
      return 1;
    }
  }
  return 1;
}

char32_t recent_substitute(char32_t c) {
  const auto run = std::upper_bound(kRecent.begin(), kRecent.end(), c,
                                    [](char32_t v, const SubstituteRun& r) { return v < r.first; });
  return run == kRecent.begin() ? c : std::prev(run)->substitute;
}

uint32_t decompose(char32_t c, bool compatible, char32_t out[kMaxDecomposition]) {
  out[0] = c;
  if (c < 0x80) return 1;
  if (c >= kSyllables && c < kSyllables + kSyllableCount) {
    const char32_t index = c - kSyllables;
    const char32_t trail = index % kTrailCount;
    out[0] = kLeads + index / (kVowelCount * kTrailCount);
    out[1] = kVowels + index / kTrailCount % kVowelCount;
    out[2] = kTrails + trail;
    return trail == 0 ? 2 : 3;
  }
  if (!is_unicode(c, compatible ? kHasCompatible : kHasCanonical)) return 1;
  utf8proc_int32_t parts[kMaxDecomposition];
  int boundary = 0;
  const utf8proc_ssize_t count = utf8proc_decompose_char(
      static_cast<utf8proc_int32_t>(c), parts, kMaxDecomposition,
      static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0)),
      &boundary);
  if (count < 1 || count > kMaxDecomposition) return 1;
  std::copy_n(parts, count, out);
  return static_cast<uint32_t>(count);
}

uint8_t combining_class(char32_t c) {
  if (c < 0x300 || !is_unicode(c, kHasClass)) return 0;
  return static_cast<uint8_t>(
      utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class);
}

char32_t compose(char32_t a, char32_t b) {
  if (b < 0x300) return 0;
  if (a >= kLeads && a < kLeads + kLeadCount && b >= kVowels && b < kVowels + kVowelCount) {
    return kSyllables + ((a - kLeads) * kVowelCount + (b - kVowels)) * kTrailCount;
  }
  if (a >= kSyllables && a < kSyllables + kSyllableCount && (a - kSyllables) % kTrailCount == 0 &&
      b > kTrails && b < kTrails + kTrailCount) {
    return a + (b - kTrails);
  }
  static const PairMap compositions = make_compositions();
  const auto it = compositions.find(pair_key(a, b));
  return it == compositions.end() ? 0 : it->second;
}

}  // namespace embedforge
