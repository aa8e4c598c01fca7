#include "tokenize/unicode/unicode_tables.h"

namespace embedforge {
namespace {

#include "tokenize/unicode/unicode_tables.inc"

}  // namespace

const std::span<const CodeRange> kOther(kOtherData);
const std::span<const CodeRange> kNonspacingMark(kNonspacingMarkData);
const std::span<const CodeRange> kPunctuation(kPunctuationData);
const std::span<const CodeRange> kWhitespace(kWhitespaceData);
const std::span<const CodeRange> kNumeric(kNumericData);
const std::span<const CodeRange> kWord(kWordData);
const std::span<const CodeRange> kCombiningMark(kCombiningMarkData);
const std::span<const CodeRange> kHasCombiningClass(kHasCombiningClassData);
const std::span<const CodeRange> kDecomposesCanonically(kDecomposesCanonicallyData);
const std::span<const CodeRange> kDecomposesCompatibly(kDecomposesCompatiblyData);
const std::span<const CodeRange> kRegexLetter(kRegexLetterData);
const std::span<const CodeRange> kRegexNumber(kRegexNumberData);
const std::span<const CodeRange> kRegexMark(kRegexMarkData);
const std::span<const CodeRange> kRegexSpace(kRegexSpaceData);
const std::span<const CaseRun> kLowercase(kLowercaseData);
const std::span<const SubstituteRun> kRecent(kRecentData);

}  // namespace embedforge
