// NFD, NFKD, NFC, NFKC and lowercase over pieces (Unicode Standard Annex 15), with the change
// counts that the reference gives.
#include <algorithm>
#include <vector>

#include "tokenize/normalize/rewrites.h"
#include "tokenize/unicode/unicode.h"

namespace embedforge {
namespace {

struct Change {
  char32_t c;
  int64_t change;
  uint8_t combining;
};

/// Calls `emit(Change)` for the decomposition in canonical order. Only one run of marks is held at
/// a time.
template <class Emit>
void decompose_to(const Pieces& in, const Piece& piece, bool compatible, Emit&& emit) {
  std::vector<Change> marks;
  const auto flush = [&] {
    std::stable_sort(marks.begin(), marks.end(),
                     [](const Change& a, const Change& b) { return a.combining < b.combining; });
    for (const Change& mark : marks) emit(mark);
    marks.clear();
  };
  for_each_character(in, piece, [&](char32_t c) {
    char32_t parts[kMaxDecomposition];
    const uint32_t count = decompose(c, compatible, parts);
    for (uint32_t i = 0; i < count; ++i) {
      const Change part{parts[i], i == 0 ? 0 : 1, combining_class(parts[i])};
      if (part.combining != 0) {
        marks.push_back(part);
        continue;
      }
      if (!marks.empty()) flush();
      emit(part);
    }
  });
  flush();
}

}  // namespace

void decompose_piece(const Pieces& in, const Piece& piece, Rewriter& out, bool compatible) {
  out.begin(piece);
  decompose_to(in, piece, compatible, [&](const Change& part) { out.put(part.c, part.change); });
}

void compose_piece(const Pieces& in, const Piece& piece, Rewriter& out, bool compatible) {
  out.begin(piece);
  bool have_starter = false;
  Change starter{};
  std::vector<Change> marks;  // between the starter and here, not composed
  const auto flush = [&] {
    if (have_starter) out.put(starter.c, starter.change);
    for (const Change& mark : marks) out.put(mark.c, mark.change);
    marks.clear();
  };
  decompose_to(in, piece, compatible, [&](const Change& part) {
    if (!have_starter) {
      if (part.combining != 0) {
        out.put(part.c, part.change);
        return;
      }
      have_starter = true;
      starter = part;
      return;
    }
    const bool blocked = !marks.empty() && marks.back().combining >= part.combining;
    const char32_t composite = blocked ? 0 : compose(starter.c, part.c);
    if (composite != 0) {
      starter.c = composite;
      starter.change += part.change - 1;
    } else if (part.combining == 0) {
      flush();
      starter = part;
    } else {
      marks.push_back(part);
    }
  });
  flush();
}

bool is_normalized(const Pieces& in, const Piece& piece, bool compatible, bool compose) {
  if (in.aligned && piece.begin < piece.end &&
      in.origin[piece.begin].begin == in.origin[piece.begin].end) {
    return false;
  }
  const std::string_view text = in.view(piece);
  const char* p = text.data() + ascii_prefix(text);
  const char* const end = text.data() + text.size();
  while (p < end) {
    const char32_t c = decode_utf8(p);
    if (c < 0x80) continue;
    // Compositions begin with a character from U+0300 on or a vowel or consonant of hangul;
    // syllables and han are stable.
    const bool stable = compose ? c < 0x300 || (c >= 0x3400 && c <= 0x9FFF) ||
                                      (c >= 0xAC00 && c <= 0xD7A3) ||
                                      (c >= 0x3041 && c <= 0x3096) || (c >= 0x400 && c <= 0x45F)
                                : c >= 0x3400 && c <= 0x9FFF;
    if (!stable || (compatible && is_unicode(c, kHasCompatible))) return false;
  }
  return true;
}

void lowercase_piece(const Pieces& in, const Piece& piece, Rewriter& out) {
  out.begin(piece);
  for_each_character(in, piece, [&](char32_t c) {
    char32_t lower[2];
    const uint32_t count = to_lowercase(c, lower);
    out.put(lower[0], 0);
    if (count == 2) out.put(lower[1], 1);
  });
}

}  // namespace embedforge
