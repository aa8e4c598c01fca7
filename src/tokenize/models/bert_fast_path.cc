#include "tokenize/models/bert_fast_path.h"

#include <algorithm>

#include "tokenize/split/pre_tokenizers.h"
#include "tokenize/unicode/unicode.h"

namespace embedforge {
namespace {

constexpr uint8_t kAloneBit = 0x80;
constexpr size_t kChunk = 256;  // bytes of a word between two checks of the buffer

bool all_of_class(std::string_view text, uint16_t classes, bool wanted) {
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p < end) {
    if (is_unicode(decode_utf8(p), classes) != wanted) return false;
  }
  return true;
}

}  // namespace

BertFastPath::BertFastPath(const BertNormalizer& normalizer, const WordPiece& model)
    : normalizer_{normalizer}, model_(model) {
  alone_ids_.fill(-1);
  for (char32_t c = 0; c < 128; ++c) {
    const Character entry = analyze(c);
    if (entry.length == 1) rewritten_[c] = entry.bytes[0];
    switch (entry.kind) {
      case Kind::kSpace:
        ascii_[c] = ' ';
        break;
      case Kind::kWord:
        ascii_[c] = entry.length == 1 && c != 0 ? static_cast<uint8_t>(entry.bytes[0]) : kAloneBit;
        break;
      case Kind::kAlone:
        ascii_[c] = kAloneBit;
        alone_ids_[c] = entry.id;
        break;
      case Kind::kDrop:
        break;
      case Kind::kComplex:
        ascii_[c] = kAloneBit;
        break;
    }
  }
  for (size_t b = 128; b < 256; ++b) ascii_[b] = kAloneBit;
}

BertFastPath::~BertFastPath() {
  for (auto& page : pages_) std::unique_ptr<const Page>(page.load());
}

BertFastPath::Character BertFastPath::analyze(char32_t c) const {
  Character result;
  Pieces pieces;
  Pieces spare;
  char bytes[4];
  pieces.assign(std::string_view(bytes, encode_utf8(c, bytes)), false);
  normalize(normalizer_, pieces, spare);
  const std::string text = pieces.text;
  if (text.empty()) return result;
  result.kind = Kind::kComplex;
  if (text.size() > sizeof(result.bytes)) return result;
  result.length = static_cast<uint8_t>(text.size());
  std::copy(text.begin(), text.end(), result.bytes);
  if (all_of_class(text, kIsWhitespace, true)) {
    result.kind = Kind::kSpace;
    return result;
  }
  const auto& options = std::get<BertNormalizer>(normalizer_[0]);
  if (options.strip_accents && !all_of_class(text, kHasClass, false)) return result;
  if (all_of_class(text, kIsWhitespace | kIsPunctuation, false)) {
    result.kind = Kind::kWord;
    return result;
  }
  pre_tokenize({BertPreTokenizer{}}, pieces, spare);
  if (pieces.pieces.size() != 1) return result;
  const std::string_view word = pieces.view(pieces.pieces[0]);
  const bool spaced = text.front() == ' ' && text.back() == ' ';
  if (!spaced && word.size() != text.size()) return result;
  std::vector<Token> tokens;
  if (model_.unknown_id() < 0) return result;
  model_.tokenize(word, tokens);
  if (tokens.size() != 1) return result;
  result.kind = Kind::kAlone;
  result.id = tokens[0].id;
  return result;
}

const BertFastPath::Character& BertFastPath::character(char32_t c) const {
  std::atomic<const Page*>& slot = pages_[c >> 8];
  const Page* page = slot.load(std::memory_order_acquire);
  if (page == nullptr) {
    auto made = std::make_unique<Page>();
    for (size_t i = 0; i < made->size(); ++i) (*made)[i] = analyze((c & ~char32_t{0xFF}) + i);
    if (slot.compare_exchange_strong(page, made.get(), std::memory_order_acq_rel)) {
      page = made.release();
    }
  }
  return (*page)[c & 0xFF];
}

bool BertFastPath::normalized_text(std::string_view text, std::string& out) const {
  out.clear();
  const char* p = text.data();
  const char* const end = p + text.size();
  const auto rewritten = [this](char c) { return rewritten_[static_cast<uint8_t>(c)]; };
  while (p < end) {
    const char* const run = p;
    while (p < end && rewritten(*p) != 0) ++p;
    const size_t before = out.size();
    out.resize(before + static_cast<size_t>(p - run));
    std::transform(run, p, out.begin() + static_cast<std::ptrdiff_t>(before), rewritten);
    if (p == end) break;
    const Character& entry = character(decode_utf8(p));
    if (entry.kind == Kind::kComplex) return false;
    out.append(entry.bytes, entry.length);
  }
  return true;
}

void BertFastPath::append_word(std::string& word, size_t length, Scratch& scratch,
                               std::vector<int32_t>& ids) const {
  if (length == 0) return;
  const auto tokenize = [&] {
    scratch.tokens.clear();
    model_.tokenize(std::string_view(word.data(), length), scratch.tokens);
    for (const Token& token : scratch.tokens) ids.push_back(token.id);
  };
  if (length > WordCache::kMaxWord) return tokenize();
  scratch.cache.append(WordCache::make_key(word.data(), length), length, ids, tokenize);
}

bool BertFastPath::append(std::string_view text, size_t limit, Scratch& scratch,
                          std::vector<int32_t>& ids) const {
  const size_t before = ids.size();
  const char* p = text.data();
  const char* const end = p + text.size();
  std::string& word = scratch.word;
  size_t n = 0;  // bytes of the word so far
  while (p < end && ids.size() < limit) {
    if (word.size() < n + kChunk + WordCache::kSlack) word.resize(2 * n + 2 * kChunk);
    const char* const stop = p + std::min<size_t>(kChunk, static_cast<size_t>(end - p));
    uint8_t action = 0;
    char* out = word.data() + n;
    do {  // copies word bytes; what goes is overwritten
      action = ascii_[static_cast<uint8_t>(*p++)];
      *out = static_cast<char>(action);
      out += action != 0 ? 1 : 0;
    } while (((action - 1U) >= ' ' || action == 0) && action < kAloneBit && p < stop);
    n = static_cast<size_t>(out - word.data());
    if (action < kAloneBit && action != ' ') continue;
    --n;
    if (action == ' ') {
      append_word(word, n, scratch, ids);
      n = 0;
      continue;
    }
    if (const auto byte = static_cast<uint8_t>(p[-1]); byte < 0x80 && alone_ids_[byte] >= 0) {
      append_word(word, n, scratch, ids);
      n = 0;
      ids.push_back(alone_ids_[byte]);
      continue;
    }
    --p;
    const Character& entry = character(decode_utf8(p));
    switch (entry.kind) {
      case Kind::kDrop:
        break;
      case Kind::kWord:
        std::copy_n(entry.bytes, sizeof(entry.bytes), word.data() + n);
        n += entry.length;
        break;
      case Kind::kAlone:
      case Kind::kSpace:
        append_word(word, n, scratch, ids);
        n = 0;
        if (entry.kind == Kind::kAlone) ids.push_back(entry.id);
        break;
      case Kind::kComplex:
        ids.resize(before);
        return false;
    }
  }
  if (ids.size() < limit) append_word(word, n, scratch, ids);
  return true;
}

}  // namespace embedforge
