// Building blocks of the normalizers: loops over the characters of a piece that feed a Rewriter.
#pragma once

#include <cstdint>
#include <utility>

#include "tokenize/pieces.h"

namespace embedforge {

struct BertNormalizer;

/// Runs `one(in, piece, rewriter)` over every piece without a token; empty pieces stay.
template <class F>
void rewrite(Pieces& pieces, Pieces& scratch, F&& one) {
  Rewriter writer(pieces, scratch);
  for (const Piece& piece : pieces.pieces) {
    if (piece.token != kNoToken) {
      writer.copy(piece);
    } else {
      one(std::as_const(pieces), piece, writer);
      writer.end(true);
    }
  }
  std::swap(pieces, scratch);
}

template <class F>
void for_each_character(const Pieces& in, const Piece& piece, F&& f) {
  const char* p = in.text.data() + piece.begin;
  const char* const end = in.text.data() + piece.end;
  while (p < end) f(decode_utf8(p));
}

template <class F>
void map_characters(const Pieces& in, const Piece& piece, Rewriter& out, F&& f) {
  out.begin(piece);
  for_each_character(in, piece, [&](char32_t c) { out.put(f(c), 0); });
}

/// Keeps the characters for which `keep` holds; removed ones count to the character kept before
/// them.
template <class F>
void filter_characters(const Pieces& in, const Piece& piece, Rewriter& out, F&& keep) {
  int64_t removed = 0;
  int64_t leading = 0;
  char32_t last = 0;
  bool any = false;
  bool begun = false;
  for_each_character(in, piece, [&](char32_t c) {
    if (!keep(c)) {
      ++removed;
      return;
    }
    if (any) {
      if (!begun) out.begin(piece, static_cast<size_t>(leading));
      begun = true;
      out.put(last, -removed);
    } else {
      leading = removed;
    }
    any = true;
    last = c;
    removed = 0;
  });
  if (!begun) out.begin(piece, static_cast<size_t>(leading));
  if (any) out.put(last, -removed);
}

/// NFD or NFKD (`compatible`) with canonical reordering.
void decompose_piece(const Pieces& in, const Piece& piece, Rewriter& out, bool compatible);
/// NFC or NFKC.
void compose_piece(const Pieces& in, const Piece& piece, Rewriter& out, bool compatible);
/// Whether NFC, NFKC, NFD or NFKD surely leaves the piece as it is; false when in doubt.
bool is_normalized(const Pieces& in, const Piece& piece, bool compatible, bool compose);
void lowercase_piece(const Pieces& in, const Piece& piece, Rewriter& out);

void normalize_bert(const BertNormalizer& options, Pieces& pieces, Pieces& scratch);

}  // namespace embedforge
