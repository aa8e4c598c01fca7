#include "tokenize/tokenizer_impl.h"

#include <algorithm>

#include "tokenize/unicode/code_points.h"
#include "tokenize/unicode/utf8.h"

namespace embedforge {

namespace {

/// Gives `append` what lies between the matcher's tokens in the text, in order, and puts their ids
/// in between, until `ids` holds `limit`. False as soon as `append` declines.
template <class Append>
bool append_between(const AddedTokenMatcher& matcher, std::string_view text, size_t limit,
                    std::vector<int32_t>& ids, Append&& append) {
  if (matcher.empty() || !matcher.may_match(text)) return append(text);
  std::vector<AddedTokenMatcher::Match> matches;
  matcher.find(text, matches);
  size_t done = 0;
  for (const auto& match : matches) {
    if (ids.size() >= limit) return true;
    if (done < match.begin && !append(text.substr(done, match.begin - done))) return false;
    ids.push_back(match.id);
    done = match.end;
  }
  return done == text.size() || append(text.substr(done));
}

}  // namespace

Tokenizer::Impl::Impl(TokenizerParts all) : parts(std::move(all)) {
  std::vector<AddedToken> groups[2];
  std::vector<std::string> patterns[2];
  for (const AddedToken& token : parts.added_tokens) {
    std::string pattern = token.content;
    if (token.normalized) {
      Pieces pieces;
      Pieces spare;
      pieces.assign(token.content, true);
      normalize(parts.normalizers, pieces, spare);
      pattern = pieces.text;
    }
    added_texts[token.id] = pattern;
    if (token.special) special_texts.insert(token.content);
    groups[token.normalized ? 1 : 0].push_back(token);
    patterns[token.normalized ? 1 : 0].push_back(std::move(pattern));
  }
  raw_matcher = AddedTokenMatcher(groups[0], patterns[0]);
  normalized_matcher = AddedTokenMatcher(groups[1], patterns[1]);
  affixes[0] = find_affixes(false);
  affixes[1] = find_affixes(true);

  aligned_ids = needs_origins(parts.normalizers) || needs_origins(parts.pre_tokenizers);
  if (const auto* unigram = std::get_if<Unigram>(parts.model.get())) {
    unknown_with_own_text = unigram->unknown_id() >= 0 ? unigram->unknown_id() : -2;
  }

  const auto* model = std::get_if<WordPiece>(parts.model.get());
  if (model != nullptr && parts.normalizers.size() == 1 && parts.pre_tokenizers.size() == 1) {
    const auto* normalizer = std::get_if<BertNormalizer>(parts.normalizers.data());
    if (normalizer != nullptr &&
        std::holds_alternative<BertPreTokenizer>(parts.pre_tokenizers[0])) {
      bert.emplace(*normalizer, *model);
      if (!normalized_matcher.empty()) {
        bert_normalized.emplace(BertNormalizer{false, false, false, false}, *model);
      }
    }
  }
}

/// What the post-processing puts around one sequence, when it puts it in once and changes nothing
/// else.
std::optional<Affixes> Tokenizer::Impl::find_affixes(bool add_special_tokens) const {
  Encoding one;
  one.ids = {-1};
  one.type_ids = {0};
  one.tokens = {""};
  one.offsets = {{0, 0}};
  one.special = {0};
  const Encoding all = post_process(parts.post_processors, {one}, add_special_tokens);
  if (std::count(all.ids.begin(), all.ids.end(), -1) != 1) return std::nullopt;
  const auto middle = std::find(all.ids.begin(), all.ids.end(), -1);
  return Affixes{{all.ids.begin(), middle}, {middle + 1, all.ids.end()}};
}

size_t Tokenizer::Impl::content_limit(const TokenizeOptions& options, bool pair) const {
  if (options.max_length == 0) return kNoLimit;
  const size_t added =
      options.add_special_tokens ? added_token_count(parts.post_processors, pair) : 0;
  return options.max_length > added ? options.max_length - added : 0;
}

void Tokenizer::Impl::tokenize(std::string_view piece, std::vector<Token>& tokens) const {
  std::visit([&](const auto& model) { model.tokenize(piece, tokens); }, *parts.model);
}

/// Fills scratch.pieces with what the model sees.
void Tokenizer::Impl::cut(std::string_view text, bool aligned, Scratch& scratch) const {
  scratch.pieces.assign(text, aligned);
  raw_matcher.split(scratch.pieces, scratch.spare.pieces);
  normalize(parts.normalizers, scratch.pieces, scratch.spare);
  normalized_matcher.split(scratch.pieces, scratch.spare.pieces);
  pre_tokenize(parts.pre_tokenizers, scratch.pieces, scratch.spare);
}

void Tokenizer::Impl::append_pieces(std::string_view text, size_t limit, Scratch& scratch,
                                    std::vector<int32_t>& ids) const {
  cut(text, aligned_ids, scratch);
  for (const Piece& piece : scratch.pieces.pieces) {
    if (ids.size() >= limit) return;
    if (piece.token != kNoToken) {
      ids.push_back(piece.token);
      continue;
    }
    append_piece(scratch.pieces.view(piece), limit, scratch, ids);
  }
}

/// Through the cache where a part that the model sees by itself is short.
void Tokenizer::Impl::append_piece(std::string_view piece, size_t limit, Scratch& scratch,
                                   std::vector<int32_t>& ids) const {
  const auto append = [&](std::string_view part) {
    scratch.cache.append(part, ids, [&] {
      scratch.tokens.clear();
      tokenize(part, scratch.tokens);
      for (const Token& token : scratch.tokens) ids.push_back(token.id);
    });
  };
  const auto* bpe = std::get_if<Bpe>(parts.model.get());
  if (bpe == nullptr) return append(piece);
  for (uint32_t begin = 0; begin < piece.size() && ids.size() < limit;) {
    const uint32_t end = bpe->part_end(piece, begin);
    append(piece.substr(begin, end - begin));
    begin = end;
  }
}

/// Of a text without tokens of raw_matcher. False: declined.
bool Tokenizer::Impl::append_bert(std::string_view text, size_t limit, Scratch& scratch,
                                  std::vector<int32_t>& ids) const {
  if (normalized_matcher.empty()) return bert->append(text, limit, scratch, ids);
  if (!bert->normalized_text(text, scratch.normalized)) return false;
  return append_between(
      normalized_matcher, scratch.normalized, limit, ids,
      [&](std::string_view part) { return bert_normalized->append(part, limit, scratch, ids); });
}

void Tokenizer::Impl::append_content(std::string_view text, size_t limit, Scratch& scratch,
                                     std::vector<int32_t>& ids) const {
  if (bert) {
    const size_t before = ids.size();
    const bool done = append_between(raw_matcher, text, limit, ids, [&](std::string_view part) {
      return append_bert(part, limit, scratch, ids);
    });
    if (done) return;
    ids.resize(before);
  }
  append_pieces(text, limit, scratch, ids);
}

Encoding Tokenizer::Impl::encode_sequence(std::string_view text, size_t limit) const {
  Encoding encoding;
  const ScratchPool::Lease scratch(pool);
  cut(text, true, *scratch);
  const CodePointOffsets code_points(text);
  const Pieces& pieces = scratch->pieces;
  const auto add = [&](const Piece& piece, const Token& token, std::string_view token_text) {
    uint32_t begin = piece.base + token.begin;
    uint32_t end = piece.base + token.end;
    if (token.end >
        piece.end - piece.begin) {  // byte tokens of an affix: the reference gives up on these
      begin = token.begin;
      end = token.end;
    } else if (token.begin < token.end) {
      begin = pieces.origin[piece.begin + token.begin].begin;
      end = pieces.origin[piece.begin + token.end - 1].end;
    }
    encoding.ids.push_back(token.id);
    encoding.tokens.emplace_back(token_text);
    encoding.offsets.push_back(code_points(begin, end));
  };
  for (const Piece& piece : pieces.pieces) {
    if (encoding.ids.size() >= limit) break;
    const std::string_view view = pieces.view(piece);
    if (piece.token != kNoToken) {
      add(piece, {piece.token, 0, static_cast<uint32_t>(view.size())}, view);
      continue;
    }
    scratch->tokens.clear();
    tokenize(view, scratch->tokens);
    for (const Token& token : scratch->tokens) {
      const bool own_text = token.id == unknown_with_own_text;
      add(piece, token,
          own_text ? view.substr(token.begin, token.end - token.begin)
                   : vocabulary(*parts.model).text(token.id));
    }
  }
  encoding.type_ids.assign(encoding.ids.size(), 0);
  encoding.special.assign(encoding.ids.size(), 0);
  return encoding;
}

}  // namespace embedforge
