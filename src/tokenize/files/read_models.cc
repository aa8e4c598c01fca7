#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "embedforge/error.h"
#include "tokenize/files/components.h"
#include "tokenize/files/json_field.h"

namespace embedforge {
namespace {

Vocabulary read_vocabulary(const JsonField& field) {
  simdjson::dom::object entries;
  if (field.value().get(entries)) field.bad("must be an object of tokens and ids");
  if (entries.begin() == entries.end()) field.bad("is empty: a tokenizer needs a vocabulary");
  std::vector<Vocabulary::Entry> tokens;
  tokens.reserve(entries.size());
  for (const auto& [text, value] : entries) {
    int64_t id = 0;
    if (value.get(id) || id < 0 || id > Vocabulary::kMaxId)
      id = JsonField(value, field.file(), fmt::format("{}.{}", field.path(), text))
               .integer(0, Vocabulary::kMaxId);
    tokens.emplace_back(text, static_cast<int32_t>(id));
  }
  return Vocabulary(tokens);
}

WordPiece read_wordpiece(const JsonField& field) {
  WordPiece::Options options;
  options.unknown_token = field.at("unk_token").string();
  options.continuing_prefix = field.at("continuing_subword_prefix").string();
  options.max_characters =
      static_cast<size_t>(field.at("max_input_chars_per_word").integer(0, INT64_MAX));
  return WordPiece(read_vocabulary(field.at("vocab")), std::move(options));
}

/// ["a b", ...] or [["a", "b"], ...]
Bpe::Merges read_merges(const JsonField& field) {
  Bpe::Merges merges;
  merges.reserve(field.array_size());
  size_t i = 0;
  for (const simdjson::dom::element merge : field.array()) {
    const size_t index = i++;
    simdjson::dom::array pair;
    std::string_view left;
    std::string_view right;
    if (!merge.get(pair) && pair.size() == 2 && !pair.at(0).get(left) && !pair.at(1).get(right)) {
      merges.emplace_back(left, right);
      continue;
    }
    std::string_view text;
    if (merge.get(text)) (void)field.at(index).string();  // says what is wrong
    if (text.starts_with("#version")) continue;
    const size_t space = text.find(' ');
    if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos) {
      field.at(index).bad("must be two tokens with one space between");
    }
    merges.emplace_back(text.substr(0, space), text.substr(space + 1));
  }
  return merges;
}

Bpe read_bpe(const JsonField& field) {
  if (field.has("dropout") && field.at("dropout").number() != 0) {
    throw_not_supported(
        fmt::format("{}: {}.dropout makes ids random: set it to null", field.file(), field.path()));
  }
  Bpe::Options options;
  options.unknown_token = field.string_or("unk_token", "");
  options.continuing_prefix = field.string_or("continuing_subword_prefix", "");
  options.word_suffix = field.string_or("end_of_word_suffix", "");
  options.fuse_unknown = field.boolean_or("fuse_unk", false);
  options.byte_fallback = field.boolean_or("byte_fallback", false);
  options.ignore_merges = field.boolean_or("ignore_merges", false);
  const JsonField merges = field.at("merges");
  return Bpe(read_vocabulary(field.at("vocab")), read_merges(merges), std::move(options),
             fmt::format("{}: {}", merges.file(), merges.path()));
}

/// The score as serde_json reads it, which the reference uses: digits as an integer, then one
/// multiplication or division by a power of ten. That can be one unit in the last place off, and
/// ties between paths are decided by such.
double as_serde_reads(double score) {
  char digits[40] = {};
  const auto [end, error] = std::to_chars(digits, digits + sizeof(digits) - 1, std::abs(score),
                                          std::chars_format::scientific);
  if (error != std::errc()) return score;
  uint64_t significand = 0;
  int exponent = 0;
  bool fraction = false;
  const char* p = digits;
  for (; p < end && *p != 'e'; ++p) {
    if (*p == '.') {
      fraction = true;
      continue;
    }
    significand = significand * 10 + static_cast<uint64_t>(*p - '0');
    if (fraction) --exponent;
  }
  int written = 0;  // std::to_chars writes a sign always, std::from_chars reads no plus
  if (p < end) std::from_chars(p[1] == '+' ? p + 2 : p + 1, end, written);
  exponent += written;
  if (exponent > 22 || exponent < -300) return score;
  static const std::vector<double> powers = [] {
    std::vector<double> all;
    for (int i = 0; i <= 300; ++i)
      all.push_back(std::strtod(fmt::format("1e{}", i).c_str(), nullptr));
    return all;
  }();
  const double power = powers[static_cast<size_t>(std::abs(exponent))];
  const auto whole = static_cast<double>(significand);
  const double value = exponent < 0 ? whole / power : whole * power;
  return score < 0 ? -value : value;
}

Unigram read_unigram(const JsonField& field) {
  const JsonField vocab = field.at("vocab");
  if (vocab.array_size() == 0) vocab.bad("is empty: a tokenizer needs a vocabulary");
  if (vocab.array_size() > Vocabulary::kMaxId) vocab.bad("is too long");
  std::vector<Vocabulary::Entry> tokens;
  std::vector<double> scores;
  for (const simdjson::dom::element entry : vocab.array()) {
    simdjson::dom::array pair;
    std::string_view text;
    double score = 0;
    if (entry.get(pair) || pair.size() != 2 || pair.at(0).get(text) || pair.at(1).get(score)) {
      vocab.at(tokens.size()).bad("must be a pair of token and score");
    }
    tokens.emplace_back(text, static_cast<int32_t>(tokens.size()));
    scores.push_back(as_serde_reads(score));
  }
  Unigram::Options options;
  options.byte_fallback = field.boolean_or("byte_fallback", false);
  options.unknown_id = static_cast<int32_t>(
      field.integer_or("unk_id", 0, static_cast<int64_t>(scores.size()) - 1, -1));
  return Unigram(Vocabulary(tokens), std::move(scores), options);
}

WordLevel read_word_level(const JsonField& field) {
  return WordLevel(read_vocabulary(field.at("vocab")), field.at("unk_token").string());
}

/// Old files leave the type out; the fields tell.
std::string guess_type(const JsonField& field) {
  if (field.has("type")) return field.at("type").string();
  if (field.has("merges")) return "BPE";
  if (field.has("continuing_subword_prefix")) return "WordPiece";
  if (field.has("vocab")) return field.at("vocab").value().is_array() ? "Unigram" : "WordLevel";
  field.bad("lacks the field 'type'");
}

}  // namespace

const Vocabulary& vocabulary(const Model& model) {
  return std::visit([](const auto& m) -> const Vocabulary& { return m.vocabulary(); }, model);
}

std::unique_ptr<Model> read_model(const JsonField& field) {
  const std::string type = guess_type(field);
  if (type == "WordPiece") return std::make_unique<Model>(read_wordpiece(field));
  if (type == "BPE") return std::make_unique<Model>(read_bpe(field));
  if (type == "Unigram") return std::make_unique<Model>(read_unigram(field));
  if (type == "WordLevel") return std::make_unique<Model>(read_word_level(field));
  unknown_component(field, type);
}

}  // namespace embedforge
