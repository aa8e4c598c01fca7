#include "tokenize/split/gpt2_words.h"

#include <array>

#include "tokenize/unicode/unicode.h"
#include "tokenize/unicode/utf8.h"

namespace embedforge {
namespace {

enum Kind : uint8_t { kOtherKind, kLetter, kNumber, kSpace };

Kind kind_of(char32_t c) {
  const uint16_t classes = unicode_classes()[c];
  if ((classes & kIsRegexLetter) != 0) return kLetter;
  if ((classes & kIsRegexNumber) != 0) return kNumber;
  return (classes & kIsRegexSpace) != 0 ? kSpace : kOtherKind;
}

constexpr std::array<uint8_t, 128> make_ascii() {
  std::array<uint8_t, 128> kinds{};
  for (unsigned c = 0; c < 128; ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool space = c == ' ' || (c >= 9 && c <= 13);
    kinds[c] = letter ? kLetter : c >= '0' && c <= '9' ? kNumber : space ? kSpace : kOtherKind;
  }
  return kinds;
}

constexpr std::array<uint8_t, 128> kAscii = make_ascii();

Kind next_kind(const char*& p) {
  const auto byte = static_cast<uint8_t>(*p);
  if (byte < 0x80) {
    ++p;
    return static_cast<Kind>(kAscii[byte]);
  }
  return kind_of(decode_utf8(p));
}

void skip_kind(const char*& p, const char* end, Kind kind) {
  while (p < end) {
    const char* next = p;
    if (next_kind(next) != kind) return;
    p = next;
  }
}

/// Length of the contraction at an apostrophe, or 0.
size_t contraction(const char* p, const char* end) {
  if (end - p < 2) return 0;
  const char a = p[1];
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  if (end - p < 3) return 0;
  const char b = p[2];
  return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
}

}  // namespace

void gpt2_words(std::string_view text, uint32_t shift, std::vector<Run>& runs) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const char* p = begin;
  while (p < end) {
    const char* const start = p;
    if (const size_t length = *p == '\'' ? contraction(p, end) : 0; length != 0) {
      p += length;
    } else {
      Kind kind = next_kind(p);
      if (kind == kSpace) {
        const char* after = p;
        // A space joins what follows it unless that is white space, too.
        const Kind following = after < end ? next_kind(after) : kSpace;
        if (*start == ' ' && p < end && following != kSpace) {
          p = after;
          kind = following;
        }
      }
      if (kind == kSpace) {
        const char* last = start;  // where the last white space of the run begins
        while (p < end) {
          const char* next = p;
          if (next_kind(next) != kSpace) break;
          last = p;
          p = next;
        }
        // Before other text the run leaves its last character, which may join that text.
        if (p < end && last > start) p = last;
      } else {
        skip_kind(p, end, kind);
      }
    }
    runs.push_back({shift + static_cast<uint32_t>(start - begin),
                    shift + static_cast<uint32_t>(p - begin), true});
  }
}

}  // namespace embedforge
