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
  keep(piece);
  out_.pieces.push_back({start_, static_cast<uint32_t>(out_.text.size()), piece.base, piece.token});
}

void Rewriter::keep(const Piece& piece) {
  start(piece);
  copy_to(piece.end);
}

void Rewriter::start(const Piece& piece) {
  piece_ = piece;
  start_ = static_cast<uint32_t>(out_.text.size());
  cursor_ = piece.begin;
}

void Rewriter::begin(const Piece& piece, size_t removed) {
  start(piece);
  if (in_.aligned) {
    uint32_t first = cursor_;
    while (first < piece.end && in_.origin[first].begin == in_.origin[first].end) ++first;
    copy_to(first);
  }
  skip(removed);
}

void Rewriter::copy_to(uint32_t position) {
  out_.text.append(in_.text, cursor_, position - cursor_);
  if (in_.aligned) {
    out_.origin.insert(out_.origin.end(), in_.origin.begin() + cursor_,
                       in_.origin.begin() + position);
  }
  cursor_ = position;
}

void Rewriter::insert(std::string_view text) {
  const char* p = text.data();
  while (p < text.data() + text.size()) put(decode_utf8(p), 1);
}

void Rewriter::prepend(const Piece& piece, std::string_view prefix) {
  start(piece);
  const char* p = prefix.data();
  const char* const end = p + prefix.size();
  if (p < end) put(decode_utf8(p), 0);
  while (p < end) put(decode_utf8(p), 1);
  const char* first = in_.text.data() + piece.begin;
  put(decode_utf8(first), 1);
  cursor_ = piece.begin + utf8_length(static_cast<uint8_t>(in_.text[piece.begin]));
  copy_to(piece.end);
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
