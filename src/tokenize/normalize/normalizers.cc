#include "tokenize/normalize/normalizers.h"

#include <algorithm>

#include "tokenize/normalize/rewrites.h"
#include "tokenize/split/byte_level.h"
#include "tokenize/unicode/unicode.h"

namespace embedforge {
namespace {

bool dropped_by_nmt(char32_t c) {
  return (c >= 0x1 && c <= 0x8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F ||
         c == 0x9F;
}

char32_t mapped_by_nmt(char32_t c) {
  const bool space = c == 0x9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
                     (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                     c == 0xFEFF || c == 0xFFFD;
  return space ? U' ' : c;
}

void strip_piece(const Pieces& in, const Piece& piece, Rewriter& out, StripNormalizer sides) {
  size_t count = 0;
  size_t leading = 0;
  size_t trailing = 0;
  for_each_character(in, piece, [&](char32_t c) {
    const bool space = is_unicode(c, kIsWhitespace);
    if (space && leading == count) ++leading;
    trailing = space ? trailing + 1 : 0;
    ++count;
  });
  if (!sides.left) leading = 0;
  if (!sides.right) trailing = 0;
  if (leading == 0 && trailing == 0) return out.keep(piece);
  out.begin(piece, leading);
  size_t i = 0;
  for_each_character(in, piece, [&](char32_t c) {
    if (i >= leading && i + trailing < count) out.put(c, 0);
    ++i;
  });
}

void prepend_piece(const Piece& piece, Rewriter& out, std::string_view prefix) {
  if (piece.begin == piece.end) return out.keep(piece);
  out.prepend(piece, prefix);
}

void replace_piece(const Pieces& in, const Piece& piece, Rewriter& out,
                   const ReplaceNormalizer& replace, std::vector<Run>& runs) {
  runs.clear();
  replace.pattern.find(in.view(piece), piece.begin, runs);
  out.start(piece);
  for (const Run& run : runs) {
    if (run.match) {
      out.drop_to(run.end);
      out.insert(replace.content);
    } else {
      out.copy_to(run.end);
    }
  }
  out.copy_to(piece.end);
}

struct ApplyNormalizer {
  Pieces& pieces;
  Pieces& scratch;

  template <class F>
  void each(F&& one) const {
    rewrite(pieces, scratch, std::forward<F>(one));
  }

  void operator()(const BertNormalizer& options) const { normalize_bert(options, pieces, scratch); }
  void operator()(const UnicodeNormalizer& n) const {
    each([n](const Pieces& in, const Piece& piece, Rewriter& out) {
      if (is_normalized(in, piece, n.compatible, n.compose)) return out.keep(piece);
      (n.compose ? compose_piece : decompose_piece)(in, piece, out, n.compatible);
    });
  }
  void operator()(const LowercaseNormalizer&) const { each(lowercase_piece); }
  void operator()(const StripAccentsNormalizer&) const {
    each([](const Pieces& in, const Piece& piece, Rewriter& out) {
      filter_characters(in, piece, out,
                        [](char32_t c) { return !is_unicode(c, kIsCombiningMark); });
    });
  }
  void operator()(const StripNormalizer& sides) const {
    each([sides](const Pieces& in, const Piece& piece, Rewriter& out) {
      strip_piece(in, piece, out, sides);
    });
  }
  void operator()(const ReplaceNormalizer& replace) const {
    std::vector<Run> runs;
    each([&](const Pieces& in, const Piece& piece, Rewriter& out) {
      replace_piece(in, piece, out, replace, runs);
    });
  }
  void operator()(const PrependNormalizer& prepend) const {
    each([&](const Pieces&, const Piece& piece, Rewriter& out) {
      prepend_piece(piece, out, prepend.prefix);
    });
  }
  void operator()(const NmtNormalizer&) const {
    each([](const Pieces& in, const Piece& piece, Rewriter& out) {
      filter_characters(in, piece, out, [](char32_t c) { return !dropped_by_nmt(c); });
    });
    each([](const Pieces& in, const Piece& piece, Rewriter& out) {
      map_characters(in, piece, out, mapped_by_nmt);
    });
  }
  void operator()(const ByteLevelNormalizer&) const { each(byte_level_piece); }
  void operator()(const PrecompiledNormalizer& precompiled) const {
    each([&](const Pieces& in, const Piece& piece, Rewriter& out) {
      precompiled_piece(in, piece, out, *precompiled.map);
    });
  }
};

}  // namespace

void normalize(const std::vector<Normalizer>& steps, Pieces& pieces, Pieces& scratch) {
  for (const Normalizer& step : steps) std::visit(ApplyNormalizer{pieces, scratch}, step);
}

bool needs_origins(const std::vector<Normalizer>& steps) {
  return std::any_of(steps.begin(), steps.end(), [](const Normalizer& step) {
    const auto* replace = std::get_if<ReplaceNormalizer>(&step);
    const auto* prepend = std::get_if<PrependNormalizer>(&step);
    return (replace != nullptr && replace->pattern.matches_empty()) ||
           (prepend != nullptr && prepend->prefix.empty());
  });
}

}  // namespace embedforge
