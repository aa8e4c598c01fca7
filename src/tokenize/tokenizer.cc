#include "tokenize/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "base/mapped_file.h"
#include "embedforge/error.h"
#include "tokenize/bert_fast_path.h"
#include "tokenize/components.h"
#include "tokenize/scratch.h"
#include "tokenize/utf8.h"

namespace embedforge {
namespace {

constexpr size_t kMaxText = size_t{1} << 30;  // bytes; keeps every offset in 32 bits
constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();

void check_text(std::string_view text) {
  if (text.size() > kMaxText) throw_bad_input("text is longer than 1 GiB: split it");
  const size_t bad = find_invalid_utf8(text);
  if (bad != std::string_view::npos) {
    throw_bad_input(fmt::format("text is not valid UTF-8 at byte {}", bad));
  }
}

/// Byte offsets of a text to code points, as the reference counts: an end inside a character counts
/// as its start.
class CodePointOffsets {
 public:
  explicit CodePointOffsets(std::string_view text) : size_(static_cast<uint32_t>(text.size())) {
    if (ascii_prefix(text) == text.size()) return;
    index_.resize(text.size());
    uint32_t count = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      count += is_utf8_boundary(text[i]) ? 1 : 0;
      index_[i] = count - 1;
    }
  }

  std::pair<uint32_t, uint32_t> operator()(uint32_t begin, uint32_t end) const {
    if (begin >= size_) return {begin, end};
    return {at(begin), end < size_ ? at(end) : end == size_ ? at(end - 1) + 1 : at(begin) + 2};
  }

 private:
  uint32_t at(uint32_t byte) const { return index_.empty() ? byte : index_[byte]; }

  std::vector<uint32_t> index_;
  uint32_t size_;
};

struct Affixes {
  std::vector<int32_t> before;
  std::vector<int32_t> after;
};

}  // namespace

struct Tokenizer::Impl {
  explicit Impl(TokenizerParts all);

  size_t content_limit(const TokenizeOptions& options, bool pair) const;
  void cut(std::string_view text, bool aligned, Scratch& scratch) const;
  void tokenize(std::string_view piece, std::vector<Token>& tokens) const;
  Encoding encode_sequence(std::string_view text, size_t limit) const;
  void append_content(std::string_view text, size_t limit, Scratch& scratch,
                      std::vector<int32_t>& ids) const;
  void append_pieces(std::string_view text, size_t limit, Scratch& scratch,
                     std::vector<int32_t>& ids) const;
  void append_piece(std::string_view piece, Scratch& scratch, std::vector<int32_t>& ids) const;
  std::optional<Affixes> find_affixes(bool add_special_tokens) const;

  TokenizerParts parts;
  AddedTokenMatcher raw_matcher;         // looked for in the text as given
  AddedTokenMatcher normalized_matcher;  // looked for in the normalized text
  std::unordered_map<int32_t, std::string> added_texts;
  std::unordered_set<std::string> special_texts;
  int32_t unknown_with_own_text = -2;  // Unigram's unknown token shows the text that it stands for
  bool aligned_ids = false;            // ids depend on origins
  std::optional<Affixes> affixes[2];   // without and with special tokens
  std::optional<BertFastPath> bert;
  mutable ScratchPool pool;
};

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
  if (model != nullptr && parts.normalizers.size() == 1 && parts.pre_tokenizers.size() == 1 &&
      normalized_matcher.empty()) {
    const auto* normalizer = std::get_if<BertNormalizer>(parts.normalizers.data());
    if (normalizer != nullptr &&
        std::holds_alternative<BertPreTokenizer>(parts.pre_tokenizers[0])) {
      bert.emplace(*normalizer, *model);
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
    append_piece(scratch.pieces.view(piece), scratch, ids);
  }
}

/// Through the cache when the piece is short.
void Tokenizer::Impl::append_piece(std::string_view piece, Scratch& scratch,
                                   std::vector<int32_t>& ids) const {
  const auto run_model = [&] {
    scratch.tokens.clear();
    tokenize(piece, scratch.tokens);
    for (const Token& token : scratch.tokens) ids.push_back(token.id);
  };
  scratch.cache.append(piece, ids, run_model);
}

void Tokenizer::Impl::append_content(std::string_view text, size_t limit, Scratch& scratch,
                                     std::vector<int32_t>& ids) const {
  const size_t before = ids.size();
  if (!bert) return append_pieces(text, limit, scratch, ids);
  if (raw_matcher.empty() || !raw_matcher.may_match(text)) {
    if (!bert->append(text, limit, scratch, ids)) append_pieces(text, limit, scratch, ids);
    return;
  }
  std::vector<AddedTokenMatcher::Match> matches;
  raw_matcher.find(text, matches);
  uint32_t done = 0;
  matches.push_back({static_cast<uint32_t>(text.size()), static_cast<uint32_t>(text.size()), -1});
  for (const auto& match : matches) {
    if (ids.size() >= limit) return;
    if (done < match.begin &&
        !bert->append(text.substr(done, match.begin - done), limit, scratch, ids)) {
      ids.resize(before);
      return append_pieces(text, limit, scratch, ids);
    }
    if (match.id >= 0) ids.push_back(match.id);
    done = match.end;
  }
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

namespace {

void truncate(Encoding& encoding, size_t length) {
  if (encoding.ids.size() <= length) return;
  encoding.ids.resize(length);
  encoding.type_ids.resize(length);
  encoding.tokens.resize(length);
  encoding.offsets.resize(length);
  encoding.special.resize(length);
}

/// Longest first: the shorter of two keeps its length while it is at most half of the limit.
std::pair<size_t, size_t> pair_lengths(size_t first, size_t second, size_t limit) {
  if (first + second <= limit) return {first, second};
  const bool swapped = first > second;
  size_t shorter = swapped ? second : first;
  size_t longer = shorter > limit ? shorter : std::max(shorter, limit - shorter);
  if (shorter + longer > limit) {
    shorter = limit / 2;
    longer = shorter + limit % 2;
  }
  return swapped ? std::pair{longer, shorter} : std::pair{shorter, longer};
}

}  // namespace

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::load(const std::filesystem::path& path) {
  const auto file = std::filesystem::is_directory(path) ? path / "tokenizer.json" : path;
  const MappedFile mapped = MappedFile::open(file);
  const auto bytes = mapped.bytes();
  return parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, file.string());
}

Tokenizer Tokenizer::parse(std::string_view json, const std::string& name) {
  return Tokenizer(std::make_unique<Impl>(read_tokenizer_json(json, name)));
}

void Tokenizer::append_ids(std::string_view text, const TokenizeOptions& options,
                           std::vector<int32_t>& ids) const {
  const auto& affixes = impl_->affixes[options.add_special_tokens ? 1 : 0];
  if (!affixes) {
    const Encoding encoding = encode(text, options);
    ids.insert(ids.end(), encoding.ids.begin(), encoding.ids.end());
    return;
  }
  check_text(text);
  const size_t before = ids.size();
  ids.insert(ids.end(), affixes->before.begin(), affixes->before.end());
  const size_t room = impl_->content_limit(options, false);
  const size_t limit = room == kNoLimit ? kNoLimit : ids.size() + room;
  try {
    const ScratchPool::Lease scratch(impl_->pool);
    impl_->append_content(text, limit, *scratch, ids);
  } catch (...) {
    ids.resize(before);
    throw;
  }
  if (ids.size() > limit) ids.resize(limit);
  ids.insert(ids.end(), affixes->after.begin(), affixes->after.end());
}

Encoding Tokenizer::encode(std::string_view text, const TokenizeOptions& options) const {
  check_text(text);
  const size_t limit = impl_->content_limit(options, false);
  Encoding encoding = impl_->encode_sequence(text, limit);
  truncate(encoding, limit);
  return post_process(impl_->parts.post_processors, {std::move(encoding)},
                      options.add_special_tokens);
}

Encoding Tokenizer::encode_pair(std::string_view first, std::string_view second,
                                const TokenizeOptions& options) const {
  check_text(first);
  check_text(second);
  std::vector<Encoding> both{impl_->encode_sequence(first, kNoLimit),
                             impl_->encode_sequence(second, kNoLimit)};
  const auto [a, b] =
      pair_lengths(both[0].ids.size(), both[1].ids.size(), impl_->content_limit(options, true));
  truncate(both[0], a);
  truncate(both[1], b);
  return post_process(impl_->parts.post_processors, std::move(both), options.add_special_tokens);
}

std::string Tokenizer::decode(const std::vector<int32_t>& ids, bool skip_special_tokens) const {
  std::vector<std::string> tokens;
  for (const int32_t id : ids) {
    const auto added = impl_->added_texts.find(id);
    std::string text;
    if (added != impl_->added_texts.end()) {
      text = added->second;
    } else if (vocabulary(*impl_->parts.model).has(id)) {
      text = vocabulary(*impl_->parts.model).text(id);
    } else {
      continue;
    }
    if (!skip_special_tokens || !impl_->special_texts.contains(text)) {
      tokens.push_back(std::move(text));
    }
  }
  if (impl_->parts.has_decoder) return decode_tokens(impl_->parts.decoders, std::move(tokens));
  std::string joined;
  for (size_t i = 0; i < tokens.size(); ++i) joined.append(i > 0 ? " " : "").append(tokens[i]);
  return joined;
}

size_t Tokenizer::vocabulary_size() const {
  size_t size = vocabulary(*impl_->parts.model).id_count();
  for (const AddedToken& token : impl_->parts.added_tokens) {
    size = std::max(size, static_cast<size_t>(token.id) + 1);
  }
  return size;
}

}  // namespace embedforge
