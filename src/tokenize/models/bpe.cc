#include "tokenize/models/bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <queue>

#include "embedforge/error.h"
#include "tokenize/unicode/utf8.h"

namespace embedforge {
namespace {

constexpr size_t kDirect = 0x3000;                  // code points whose ids are in an array
constexpr std::string_view kMark = "\xE2\x96\x81";  // U+2581, sentencepiece's space
constexpr size_t kShort = 48;                       // symbols up to which a scan beats a heap

}  // namespace

/// A token in the making; a list over the array. Removed ones have no length.
struct Bpe::Symbol {
  int32_t id;
  uint32_t length;
  int32_t previous;
  int32_t next;
};

struct Bpe::Candidate {
  uint32_t rank;
  int32_t position;
  int32_t id;
  bool operator>(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : position > other.position;
  }
};

Bpe::Bpe(Vocabulary vocabulary, const Merges& merges, Options options, const std::string& where)
    : vocabulary_(std::move(vocabulary)),
      options_(std::move(options)),
      merges_(merges.size()),
      character_ids_(kDirect, -1),
      byte_ids_(256, -1) {
  std::string merged;
  // The mark must be a token, so that it ends a run of unknown characters, and nothing may depend
  // on a part's place.
  has_parts_ = vocabulary_.id(kMark) >= 0 && !options_.ignore_merges &&
               options_.continuing_prefix.empty() && options_.word_suffix.empty();
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [left, right] = merges[rank];
    const auto id_of = [&](const std::string& token) {
      const int32_t id = vocabulary_.id(token);
      if (id < 0) {
        throw_bad_input(fmt::format("{}[{}] needs the token '{}', which is not in the vocabulary",
                                    where, rank, token));
      }
      return id;
    };
    const int32_t left_id = id_of(left);
    const int32_t right_id = id_of(right);
    if (right.size() < options_.continuing_prefix.size()) {
      throw_bad_input(fmt::format("{}[{}] has '{}', which lacks the continuing_subword_prefix",
                                  where, rank, right));
    }
    merged = left;
    merged.append(right, options_.continuing_prefix.size(), std::string::npos);
    merges_.add(left_id, right_id, static_cast<uint32_t>(rank), id_of(merged));
    if (right.starts_with(kMark) && !left.ends_with(kMark)) has_parts_ = false;
  }
  for (const auto& [text, id] : vocabulary_.tokens()) {
    if (text.empty()) continue;
    const char* p = text.data();
    if (utf8_length(static_cast<uint8_t>(text[0])) != text.size()) continue;
    const char32_t c = decode_utf8(p);
    if (c < kDirect) character_ids_[c] = id;
  }
  if (options_.byte_fallback) {
    for (int byte = 0; byte < 256; ++byte) {
      byte_ids_[static_cast<size_t>(byte)] = vocabulary_.id(fmt::format("<0x{:02X}>", byte));
    }
  }
}

int32_t Bpe::unknown_id() const {
  const int32_t id = vocabulary_.id(options_.unknown_token);
  if (id < 0) {
    throw_bad_input(fmt::format(
        "tokenizer: model.unk_token '{}' is not in the vocabulary, and the text needs it",
        options_.unknown_token));
  }
  return id;
}

int32_t Bpe::character_id(std::string_view piece, uint32_t begin, uint32_t end) const {
  const bool prefixed = begin > 0 && !options_.continuing_prefix.empty();
  const bool suffixed = end == piece.size() && !options_.word_suffix.empty();
  const std::string_view text = piece.substr(begin, end - begin);
  if (!prefixed && !suffixed) {
    const char* p = text.data();
    const char32_t c = decode_utf8(p);
    return c < kDirect ? character_ids_[c] : vocabulary_.id(text);
  }
  std::string token = prefixed ? options_.continuing_prefix : "";
  token.append(text).append(suffixed ? options_.word_suffix : "");
  return vocabulary_.id(token);
}

/// The tokens of single bytes, when the vocabulary has all of them.
bool Bpe::append_bytes(std::string_view text, std::vector<Symbol>& symbols) const {
  const auto id = [this](char c) { return byte_ids_[static_cast<uint8_t>(c)]; };
  if (std::any_of(text.begin(), text.end(), [&](char c) { return id(c) < 0; })) return false;
  for (const char c : text) symbols.push_back({id(c), 1, 0, 0});
  return true;
}

void Bpe::split(std::string_view piece, std::vector<Symbol>& symbols) const {
  const auto size = static_cast<uint32_t>(piece.size());
  Symbol unknown{
      -1, 0, 0,
      0};  // waits for the next known character; byte tokens overtake it, as in the reference
  const auto flush = [&] {
    if (unknown.id >= 0) symbols.push_back(unknown);
    unknown.id = -1;
  };
  for (uint32_t begin = 0; begin < size;) {
    const uint32_t end = begin + utf8_length(static_cast<uint8_t>(piece[begin]));
    const uint32_t length = end - begin;
    const int32_t id = character_id(piece, begin, end);
    if (id >= 0) {
      flush();
      symbols.push_back({id, length, 0, 0});
    } else {
      std::string fallback;
      if (options_.byte_fallback) {
        if (begin > 0) fallback = options_.continuing_prefix;
        fallback.append(piece.substr(begin, length));
        if (end == size) fallback += options_.word_suffix;
      }
      if (options_.byte_fallback && append_bytes(fallback, symbols)) {
      } else if (!options_.unknown_token.empty()) {
        if (unknown.id >= 0 && options_.fuse_unknown) {
          unknown.length += length;
        } else {
          flush();
          unknown = {unknown_id(), length, 0, 0};
        }
      }
    }
    begin = end;
  }
  flush();
}

/// Time: square of the symbols, so only for few.
void Bpe::merge_short(std::vector<Symbol>& symbols) const {
  MergeTable::Merge found[kShort];
  size_t count = symbols.size();
  const auto look_up = [&](size_t i) { found[i] = merges_.find(symbols[i].id, symbols[i + 1].id); };
  for (size_t i = 0; i + 1 < count; ++i) look_up(i);
  while (count > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < count; ++i) {
      if (found[i].rank < found[best].rank) best = i;
    }
    if (found[best].rank == MergeTable::kNoRank) return;
    symbols[best].id = found[best].id;
    symbols[best].length += symbols[best + 1].length;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    --count;
    for (size_t i = best + 1; i + 1 < count; ++i) found[i] = found[i + 1];
    if (best + 1 < count) look_up(best);
    if (best > 0) look_up(best - 1);
  }
}

/// Time: n log n.
void Bpe::merge_long(std::vector<Symbol>& symbols) const {
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto push = [&](int32_t left) {
    const auto& first = symbols[static_cast<size_t>(left)];
    const auto& merge = merges_.find(first.id, symbols[static_cast<size_t>(first.next)].id);
    if (merge.rank != MergeTable::kNoRank) queue.push({merge.rank, left, merge.id});
  };
  const auto count = static_cast<int32_t>(symbols.size());
  for (int32_t i = 0; i < count; ++i) {
    symbols[static_cast<size_t>(i)].previous = i - 1;
    symbols[static_cast<size_t>(i)].next = i + 1 < count ? i + 1 : -1;
  }
  for (int32_t i = 0; i + 1 < count; ++i) push(i);
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    Symbol& left = symbols[static_cast<size_t>(top.position)];
    if (left.length == 0 || left.next < 0) continue;
    Symbol& right = symbols[static_cast<size_t>(left.next)];
    if (merges_.find(left.id, right.id).id != top.id) continue;  // one of the two has changed since
    left.id = top.id;
    left.length += right.length;
    left.next = right.next;
    right.length = 0;
    if (left.next >= 0) symbols[static_cast<size_t>(left.next)].previous = top.position;
    if (left.previous >= 0) push(left.previous);
    if (left.next >= 0) push(top.position);
  }
  std::erase_if(symbols, [](const Symbol& symbol) { return symbol.length == 0; });
}

uint32_t Bpe::part_end(std::string_view piece, uint32_t begin) const {
  if (has_parts_) {
    for (size_t at = piece.find(kMark, begin + 1); at != std::string_view::npos;
         at = piece.find(kMark, at + kMark.size())) {
      if (at >= begin + kMark.size() && piece.substr(at - kMark.size(), kMark.size()) == kMark)
        continue;
      return static_cast<uint32_t>(at);
    }
  }
  return static_cast<uint32_t>(piece.size());
}

void Bpe::tokenize(std::string_view piece, std::vector<Token>& tokens) const {
  const auto size = static_cast<uint32_t>(piece.size());
  if (options_.ignore_merges) {
    if (const int32_t id = vocabulary_.id(piece); id >= 0) {
      tokens.push_back({id, 0, size});
      return;
    }
  }
  uint32_t offset =
      0;  // of the tokens; what the vocabulary lacks may have no token and then counts nothing
  for (uint32_t begin = 0; begin < size;) {
    const uint32_t end = part_end(piece, begin);
    const size_t before = tokens.size();
    tokenize_part(piece.substr(begin, end - begin), offset, tokens);
    if (tokens.size() > before) offset = tokens.back().end;
    begin = end;
  }
}

void Bpe::tokenize_part(std::string_view piece, uint32_t offset, std::vector<Token>& tokens) const {
  std::vector<Symbol> symbols;
  symbols.reserve(piece.size());
  split(piece, symbols);
  symbols.size() <= kShort ? merge_short(symbols) : merge_long(symbols);
  for (const Symbol& symbol : symbols) {
    tokens.push_back({symbol.id, offset, offset + symbol.length});
    offset += symbol.length;
  }
}

}  // namespace embedforge
