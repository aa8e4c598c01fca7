#include "tokenize/split/added_tokens.h"

#include <algorithm>
#include <cstring>

#include "tokenize/unicode/unicode.h"

namespace embedforge {
namespace {

/// The code point that ends at byte `end` (> 0), and where it starts.
char32_t code_point_before(std::string_view text, size_t end, size_t& begin) {
  begin = end - 1;
  while (begin > 0 && !is_utf8_boundary(text[begin])) --begin;
  const char* p = text.data() + begin;
  return decode_utf8(p);
}

bool ends_with_word(std::string_view text) {
  size_t begin = 0;
  return !text.empty() && is_unicode(code_point_before(text, text.size(), begin), kIsWord);
}

bool starts_with_word(std::string_view text) {
  const char* p = text.data();
  return !text.empty() && is_unicode(decode_utf8(p), kIsWord);
}

size_t without_trailing_space(std::string_view text, size_t floor) {
  size_t end = text.size();
  while (end > floor) {
    size_t begin = 0;
    if (!is_unicode(code_point_before(text, end, begin), kIsWhitespace)) break;
    end = begin;
  }
  return std::max(end, floor);
}

size_t leading_space(std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  const char* last = p;
  while (p < end && is_unicode(decode_utf8(p), kIsWhitespace)) last = p;
  return static_cast<size_t>(last - text.data());
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(const std::vector<AddedToken>& tokens,
                                     const std::vector<std::string>& patterns)
    : tokens_(tokens) {
  std::vector<Trie::Entry> entries;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (patterns[i].empty()) continue;
    entries.emplace_back(patterns[i], static_cast<int32_t>(i));
    starts_[static_cast<uint8_t>(patterns[i][0])] = true;
  }
  trie_ = Trie::build(entries);
  for (size_t b = 0; b < starts_.size(); ++b) {
    if (starts_[b]) first_bytes_.push_back(static_cast<char>(b));
  }
}

bool AddedTokenMatcher::may_match(std::string_view text) const {
  if (first_bytes_.size() <= 2) {
    return std::any_of(first_bytes_.begin(), first_bytes_.end(), [text](char byte) {
      return std::memchr(text.data(), byte, text.size()) != nullptr;
    });
  }
  return std::any_of(text.begin(), text.end(),
                     [this](char byte) { return starts_[static_cast<uint8_t>(byte)]; });
}

void AddedTokenMatcher::find(std::string_view text, std::vector<Match>& matches) const {
  size_t taken = 0;  // end of the last match, white space included
  for (size_t i = 0; i < text.size();) {
    if (!starts_[static_cast<uint8_t>(text[i])]) {
      ++i;
      continue;
    }
    int32_t best = -1;
    size_t stop = i;
    uint32_t node = Trie::kRoot;
    for (size_t j = i; j < text.size(); ++j) {
      node = trie_.step(node, static_cast<uint8_t>(text[j]));
      if (node == Trie::kNone) break;
      if (trie_.value(node) >= 0) {
        best = trie_.value(node);
        stop = j + 1;
      }
    }
    if (best < 0) {
      ++i;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<size_t>(best)];
    size_t begin = i;
    i = stop;  // the reference goes on behind a match that it refuses, too
    if (token.single_word &&
        (ends_with_word(text.substr(0, begin)) || starts_with_word(text.substr(stop)))) {
      continue;
    }
    if (token.lstrip) {
      begin =
          std::max(taken, without_trailing_space(text.substr(0, begin), std::min(taken, begin)));
    }
    if (token.rstrip) stop += leading_space(text.substr(stop));
    if (begin >= stop) continue;
    matches.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(stop), token.id});
    taken = stop;
  }
}

void AddedTokenMatcher::split(Pieces& pieces, std::vector<Piece>& scratch) const {
  scratch.clear();
  std::vector<Match> matches;
  for (const Piece& piece : pieces.pieces) {
    if (piece.token != kNoToken) {
      scratch.push_back(piece);
      continue;
    }
    matches.clear();
    if (!empty() && may_match(pieces.view(piece))) find(pieces.view(piece), matches);
    uint32_t done = piece.begin;
    const auto add = [&](uint32_t begin, uint32_t end, int32_t token) {
      if (begin < end) scratch.push_back({begin, end, pieces.base_at(begin), token});
    };
    for (const Match& match : matches) {
      add(done, piece.begin + match.begin, kNoToken);
      add(piece.begin + match.begin, piece.begin + match.end, match.id);
      done = piece.begin + match.end;
    }
    add(done, piece.end, kNoToken);
  }
  std::swap(pieces.pieces, scratch);
}

}  // namespace embedforge
