// The value that flows through normalizers, pre-tokenizers and the model: a text, where each of its
// bytes comes from, and its pieces in order.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenize/unicode/utf8.h"

namespace embedforge {

/// Bytes of the input, [begin, end).
struct Origin {
  uint32_t begin;
  uint32_t end;
};

inline constexpr int32_t kNoToken = -1;

struct Piece {
  uint32_t begin;  // bytes of Pieces::text
  uint32_t end;
  uint32_t base;  // where the piece's own original text starts in the input
  int32_t token =
      kNoToken;  // the id of an added token; such a piece is not split or normalized again
};

/// Without `aligned`, `origin` stays empty and bases are not meaningful.
struct Pieces {
  std::string text;
  std::vector<Origin> origin;  // one for each byte of text
  std::vector<Piece> pieces;
  bool aligned = false;

  std::string_view view(const Piece& piece) const {
    return std::string_view(text).substr(piece.begin, piece.end - piece.begin);
  }
  /// One piece: all of `input`.
  void assign(std::string_view input, bool track_origin);
  void clear();
  /// The base of a slice that starts at byte `begin` of the text.
  uint32_t base_at(uint32_t begin) const { return aligned ? origin[begin].begin : 0; }
};

/// Writes new pieces from old ones, a character at a time, with the alignment rules of the
/// `tokenizers` package: a replacing character takes the origin of the one that it replaces, an
/// inserted one that of the character before the place of insertion in the OLD text. Offsets equal
/// the package's only because these rules do.
class Rewriter {
 public:
  Rewriter(const Pieces& in, Pieces& out);

  /// Copies a piece as it is, and ends it.
  void copy(const Piece& piece);

  /// Takes over a piece unchanged.
  void keep(const Piece& piece);
  /// Starts on a piece, after its first `removed` characters. Bytes at its start that stand for no
  /// input (put there by a replaced empty match) are outside of what the package rewrites: they
  /// stay, and what is put comes behind them.
  void begin(const Piece& piece, size_t removed = 0);
  /// change 0: replaces the next old character; -n: the same, and n more old ones go; above 0:
  /// inserts.
  void put(char32_t c, int64_t change);
  /// Starts on a piece from its first byte.
  void start(const Piece& piece);
  /// Copies old bytes up to `position`, or leaves them out.
  void copy_to(uint32_t position);
  void drop_to(uint32_t position) { cursor_ = position; }
  void insert(std::string_view text);
  /// The piece (not empty) with `prefix` before it; the prefix counts to the first character.
  void prepend(const Piece& piece, std::string_view prefix);
  /// Ends the piece. An empty one is kept when `keep_empty`.
  void end(bool keep_empty = false);

 private:
  void skip(size_t characters);

  const Pieces& in_;
  Pieces& out_;
  Piece piece_{};
  uint32_t start_ = 0;   // where the new piece begins in out_
  uint32_t cursor_ = 0;  // the next old character
};

}  // namespace embedforge
