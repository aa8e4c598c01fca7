#include "tokenize/models/unigram.h"

#include <fmt/format.h>

#include <algorithm>

#include "embedforge/error.h"
#include "tokenize/unicode/utf8.h"

namespace embedforge {
namespace {

constexpr double kUnknownPenalty = 10.0;  // below the worst score
constexpr uint32_t kNowhere = UINT32_MAX;

/// The best path that ends at a byte.
struct Node {
  double score = 0;
  uint32_t begin = kNowhere;
  int32_t id = 0;
};

}  // namespace

Unigram::Unigram(Vocabulary vocabulary, std::vector<double> scores, Options options)
    : vocabulary_(std::move(vocabulary)),
      scores_(std::move(scores)),
      options_(options),
      byte_ids_(256, -1) {
  trie_ = Trie::build(vocabulary_.tokens());
  unknown_score_ = *std::min_element(scores_.begin(), scores_.end()) - kUnknownPenalty;
  for (int byte = 0; byte < 256 && options_.byte_fallback; ++byte) {
    byte_ids_[static_cast<size_t>(byte)] = vocabulary_.id(fmt::format("<0x{:02X}>", byte));
  }
}

/// Bytes `begin` to `end` of the piece: a token, the tokens of its bytes, or the unknown one.
void Unigram::append(std::string_view text, uint32_t begin, uint32_t end,
                     std::vector<Token>& tokens) const {
  if (const int32_t id = trie_.find(text); id >= 0) {
    tokens.push_back({id, begin, end});
    return;
  }
  const auto byte_id = [this](char c) { return byte_ids_[static_cast<uint8_t>(c)]; };
  if (options_.byte_fallback &&
      std::all_of(text.begin(), text.end(), [&](char c) { return byte_id(c) >= 0; })) {
    for (const char c : text) tokens.push_back({byte_id(c), begin, end});
    return;
  }
  tokens.push_back({options_.unknown_id, begin, end});
}

/// Time: for each character, the bytes that the trie has for what follows, at most the longest
/// token.
void Unigram::tokenize(std::string_view piece, std::vector<Token>& tokens) const {
  const auto size = static_cast<uint32_t>(piece.size());
  std::vector<Node> best(size + 1);
  for (uint32_t begin = 0; begin < size;) {
    const uint32_t next = begin + utf8_length(static_cast<uint8_t>(piece[begin]));
    const double here = best[begin].score;
    bool single = false;
    const auto offer = [&](uint32_t end, double score, int32_t id) {
      Node& node = best[end];
      if (node.begin != kNowhere && !(score > node.score)) return false;
      node = {score, begin, id};
      return true;
    };
    uint32_t node = Trie::kRoot;
    for (uint32_t i = begin; i < size;) {
      node = trie_.step(node, static_cast<uint8_t>(piece[i++]));
      if (node == Trie::kNone) break;
      const int32_t id = trie_.value(node);
      if (id < 0) continue;
      offer(i, scores_[static_cast<size_t>(id)] + here, id);
      single = single || i == next;
    }
    if (!single && offer(next, unknown_score_ + here, options_.unknown_id) &&
        options_.unknown_id < 0) {
      throw_bad_input("tokenizer: the text has an unknown character, and model.unk_id is missing");
    }
    begin = next;
  }
  // Back along the best path; unknown neighbours become one.
  const size_t first = tokens.size();
  for (uint32_t end = size; end > 0;) {
    uint32_t begin = best[end].begin;
    if (options_.unknown_id >= 0 && best[end].id == options_.unknown_id) {
      while (begin > 0 && best[begin].id == options_.unknown_id) begin = best[begin].begin;
    }
    tokens.push_back({best[end].id, begin, end});
    end = begin;
  }
  std::reverse(tokens.begin() + static_cast<std::ptrdiff_t>(first), tokens.end());
  if (options_.unknown_id < 0) return;
  const bool plain =
      std::none_of(tokens.begin() + static_cast<std::ptrdiff_t>(first), tokens.end(),
                   [this](const Token& token) { return token.id == options_.unknown_id; });
  if (plain) return;
  const std::vector<Token> path(tokens.begin() + static_cast<std::ptrdiff_t>(first), tokens.end());
  tokens.resize(first);
  for (const Token& token : path) {
    if (token.id != options_.unknown_id) {
      tokens.push_back(token);
    } else {
      append(piece.substr(token.begin, token.end - token.begin), token.begin, token.end, tokens);
    }
  }
}

}  // namespace embedforge
