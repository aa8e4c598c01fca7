// BertNormalizer: four passes in order; each one mirrors one pass of the reference, so that offsets
// come out equal.
#include <vector>

#include "tokenize/normalize/normalizers.h"
#include "tokenize/normalize/rewrites.h"
#include "tokenize/unicode/unicode.h"

namespace embedforge {
namespace {

void space_around_chinese(const Pieces& in, const Piece& piece, Rewriter& out) {
  out.begin(piece);
  for_each_character(in, piece, [&](char32_t c) {
    if (is_bert_chinese(c)) {
      out.put(' ', 0);
      out.put(c, 1);
      out.put(' ', 1);
    } else {
      out.put(c, 0);
    }
  });
}

}  // namespace

void normalize_bert(const BertNormalizer& options, Pieces& pieces, Pieces& scratch) {
  if (options.clean_text) {
    rewrite(pieces, scratch, [](const Pieces& in, const Piece& piece, Rewriter& out) {
      filter_characters(in, piece, out, [](char32_t c) { return !is_unicode(c, kIsOther); });
    });
    rewrite(pieces, scratch, [](const Pieces& in, const Piece& piece, Rewriter& out) {
      map_characters(in, piece, out,
                     [](char32_t c) { return is_unicode(c, kIsWhitespace) ? U' ' : c; });
    });
  }
  if (options.handle_chinese_chars) rewrite(pieces, scratch, space_around_chinese);
  if (options.strip_accents) {
    rewrite(pieces, scratch, [](const Pieces& in, const Piece& piece, Rewriter& out) {
      decompose_piece(in, piece, out, false);
    });
    rewrite(pieces, scratch, [](const Pieces& in, const Piece& piece, Rewriter& out) {
      filter_characters(in, piece, out,
                        [](char32_t c) { return !is_unicode(c, kIsNonspacingMark); });
    });
  }
  if (options.lowercase) rewrite(pieces, scratch, lowercase_piece);
}

}  // namespace embedforge
