#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "embedforge/error.h"
#include "tokenize/components.h"
#include "tokenize/json_field.h"

namespace embedforge {
namespace {

Vocabulary read_vocabulary(const JsonField& field) {
  if (!field.value().is_object()) field.bad("must be an object of tokens and ids");
  if (field.value().empty()) field.bad("is empty: a tokenizer needs a vocabulary");
  std::vector<std::pair<std::string, int32_t>> tokens;
  tokens.reserve(field.value().size());
  for (const auto& [text, id] : field.value().items()) {
    const int64_t number = id.is_number_unsigned() && id.get<uint64_t>() <= Vocabulary::kMaxId
                               ? static_cast<int64_t>(id.get<uint64_t>())
                               : field.at(text).integer(0, Vocabulary::kMaxId);
    tokens.emplace_back(text, static_cast<int32_t>(number));
  }
  return Vocabulary(std::move(tokens));
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
  for (size_t i = 0; i < field.array_size(); ++i) {
    const nlohmann::json& merge = field.value()[i];
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
      continue;
    }
    const std::string text = field.at(i).string();
    if (text.starts_with("#version")) continue;
    const size_t space = text.find(' ');
    if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
      field.at(i).bad("must be two tokens with one space between");
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
  std::vector<std::pair<std::string, int32_t>> tokens;
  std::vector<double> scores;
  for (size_t i = 0; i < vocab.array_size(); ++i) {
    const nlohmann::json& entry = vocab.value()[i];
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number()) {
      vocab.at(i).bad("must be a pair of token and score");
    }
    tokens.emplace_back(entry[0].get<std::string>(), static_cast<int32_t>(i));
    scores.push_back(as_serde_reads(entry[1].get<double>()));
  }
  Unigram::Options options;
  options.byte_fallback = field.boolean_or("byte_fallback", false);
  options.unknown_id = static_cast<int32_t>(
      field.integer_or("unk_id", 0, static_cast<int64_t>(scores.size()) - 1, -1));
  return Unigram(Vocabulary(std::move(tokens)), std::move(scores), options);
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
