// The tables of unicode_tables.cc: sorted, disjoint runs of code points (see make_unicode_tables.py
// for their source).
#pragma once

#include <cstdint>
#include <span>

namespace embedforge {

struct CodeRange {
  uint32_t first;
  uint32_t last;
};

/// first, first + step, ... last each map to themselves plus delta.
struct CaseRun {
  uint32_t first;
  uint32_t last;
  uint32_t step;
  int32_t delta;
};

/// first to last are stood in for by `substitute`.
struct SubstituteRun {
  uint32_t first;
  uint32_t last;
  uint32_t substitute;
};

extern const std::span<const CodeRange> kOther;
extern const std::span<const CodeRange> kNonspacingMark;
extern const std::span<const CodeRange> kPunctuation;
extern const std::span<const CodeRange> kWhitespace;
extern const std::span<const CodeRange> kNumeric;
extern const std::span<const CodeRange> kWord;
extern const std::span<const CodeRange> kCombiningMark;
extern const std::span<const CodeRange> kHasCombiningClass;
extern const std::span<const CodeRange> kDecomposesCanonically;
extern const std::span<const CodeRange> kDecomposesCompatibly;
extern const std::span<const CodeRange> kRegexLetter;
extern const std::span<const CodeRange> kRegexNumber;
extern const std::span<const CodeRange> kRegexMark;
extern const std::span<const CodeRange> kRegexSpace;
extern const std::span<const CaseRun> kLowercase;
extern const std::span<const SubstituteRun> kRecent;

}  // namespace embedforge
