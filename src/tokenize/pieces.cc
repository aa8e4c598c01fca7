#include "tokenize/pieces.h"

#include <algorithm>

namespace embedforge {

void Pieces::clear() {
  text.clear();
  origin.clear();
  pieces.clear();
}

void Pieces::assign(std::string_view input, bool track_origin) {
  clear();
  aligned = track_origin;
  text.assign(input);
  const auto size = static_cast<uint32_t>(input.size());
  if (aligned) {
    origin.resize(size);
    for (uint32_t i = 0; i < size;) {
      const uint32_t end = std::min(size, i + utf8_length(static_cast<uint8_t>(input[i])));
      for (const uint32_t begin = i; i < end; ++i) origin[i] = {begin, end};
    }
  }
  pieces.push_back({0, size, 0, kNoToken});
}

Rewriter::Rewriter(const Pieces& in, Pieces& out) : in_(in), out_(out) {
  out_.clear();
  out_.aligned = in.aligned;
  out_.text.reserve(in.text.size());
  if (in.aligned) out_.origin.reserve(in.text.size());
  out_.pieces.reserve(in.pieces.size());
}

void Rewriter::copy(const Piece& piece) {
  const auto start = static_cast<uint32_t>(out_.text.size());
  out_.text.append(in_.view(piece));
  if (in_.aligned) {
    out_.origin.insert(out_.origin.end(), in_.origin.begin() + piece.begin,
                       in_.origin.begin() + piece.end);
  }
  out_.pieces.push_back({start, start + (piece.end - piece.begin), piece.base, piece.token});
}

void Rewriter::begin(const Piece& piece, size_t removed) {
  piece_ = piece;
  start_ = static_cast<uint32_t>(out_.text.size());
  cursor_ = piece.begin;
  if (in_.aligned) {
    // Bytes at the start that stand for no input are outside of what the package rewrites: they
    // stay as they are.
    while (cursor_ < piece.end && in_.origin[cursor_].begin == in_.origin[cursor_].end) {
      out_.text.push_back(in_.text[cursor_]);
      out_.origin.push_back(in_.origin[cursor_]);
      ++cursor_;
    }
  }
  skip(removed);
}

void Rewriter::skip(size_t characters) {
  for (; characters > 0 && cursor_ < piece_.end; --characters) {
    cursor_ += utf8_length(static_cast<uint8_t>(in_.text[cursor_]));
  }
}

void Rewriter::put(char32_t c, int64_t change) {
  const size_t before = out_.text.size();
  append_utf8(c, out_.text);
  if (in_.aligned) {
    Origin origin{piece_.base, piece_.base};
    if (change <= 0 && cursor_ < piece_.end) {
      origin = in_.origin[cursor_];
    } else if (cursor_ > piece_.begin) {
      origin = in_.origin[cursor_ - 1];
    }
    out_.origin.insert(out_.origin.end(), out_.text.size() - before, origin);
  }
  if (change <= 0) skip(static_cast<size_t>(1 - change));
}

void Rewriter::end(bool keep_empty) {
  const auto size = static_cast<uint32_t>(out_.text.size());
  if (size > start_ || keep_empty) out_.pieces.push_back({start_, size, piece_.base, kNoToken});
}

}  // namespace embedforge
