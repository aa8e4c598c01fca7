// Readers of normalizers, pre-tokenizers and decoders: one branch for each `type` of
// tokenizer.json.
#include <fmt/format.h>

#include "tokenize/files/components.h"
#include "tokenize/files/json_field.h"
#include "tokenize/unicode/utf8.h"

namespace embedforge {
namespace {

std::string place(const JsonField& field) {
  return fmt::format("{}: {}", field.file(), field.path());
}

/// {"String": "..."} or {"Regex": "..."}
Pattern read_pattern(const JsonField& field) {
  if (field.has("String")) return Pattern::literal(field.at("String").string());
  const JsonField regex = field.at("Regex");
  return Pattern::regex(regex.string(), place(regex));
}

char32_t read_character(const JsonField& field) {
  const std::string text = field.string();
  if (count_code_points(text) != 1) field.bad("must be one character");
  const char* p = text.data();
  return decode_utf8(p);
}

SplitBehavior read_behavior(const JsonField& field) {
  const std::string name = field.string();
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  field.bad("'" + name +
            "' is no behavior: Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous");
}

MetaspacePreTokenizer::Prepend read_prepend(const JsonField& field) {
  using Prepend = MetaspacePreTokenizer::Prepend;
  Prepend prepend = Prepend::kAlways;
  if (field.has("prepend_scheme")) {
    const std::string name = field.at("prepend_scheme").string();
    if (name == "first") {
      prepend = Prepend::kFirst;
    } else if (name == "never") {
      prepend = Prepend::kNever;
    } else if (name != "always") {
      field.at("prepend_scheme").bad("must be \"always\", \"first\" or \"never\"");
    }
  }
  return field.boolean_or("add_prefix_space", true) ? prepend : Prepend::kNever;
}

}  // namespace

void read_normalizer(const JsonField& field, std::vector<Normalizer>& out) {
  const std::string type = component_type(field);
  if (type == "Sequence") {
    const JsonField steps = field.at("normalizers");
    for (size_t i = 0; i < steps.short_array_size(); ++i) read_normalizer(steps.at(i), out);
  } else if (type == "BertNormalizer") {
    BertNormalizer bert;
    bert.clean_text = field.at("clean_text").boolean();
    bert.handle_chinese_chars = field.at("handle_chinese_chars").boolean();
    bert.lowercase = field.at("lowercase").boolean();
    bert.strip_accents = field.boolean_or("strip_accents", bert.lowercase);
    out.emplace_back(bert);
  } else if (type == "NFD" || type == "NFKD" || type == "NFC" || type == "NFKC") {
    out.emplace_back(UnicodeNormalizer{type.size() == 4, type.back() == 'C'});
  } else if (type == "Lowercase") {
    out.emplace_back(LowercaseNormalizer{});
  } else if (type == "StripAccents") {
    out.emplace_back(StripAccentsNormalizer{});
  } else if (type == "Strip") {
    out.emplace_back(
        StripNormalizer{field.at("strip_left").boolean(), field.at("strip_right").boolean()});
  } else if (type == "Replace") {
    out.emplace_back(
        ReplaceNormalizer{read_pattern(field.at("pattern")), field.at("content").string()});
  } else if (type == "Prepend") {
    out.emplace_back(PrependNormalizer{field.at("prepend").string()});
  } else if (type == "Nmt") {
    out.emplace_back(NmtNormalizer{});
  } else if (type == "ByteLevel") {
    out.emplace_back(ByteLevelNormalizer{});
  } else if (type == "Precompiled") {
    const JsonField map = field.at("precompiled_charsmap");
    out.emplace_back(PrecompiledNormalizer{std::make_shared<PrecompiledCharsMap>(
        PrecompiledCharsMap::parse(decode_base64(map.string(), place(map)), place(map)))});
  } else {
    unknown_component(field, type);
  }
}

void read_pre_tokenizer(const JsonField& field, std::vector<PreTokenizer>& out) {
  const std::string type = component_type(field);
  if (type == "Sequence") {
    const JsonField steps = field.at("pretokenizers");
    for (size_t i = 0; i < steps.short_array_size(); ++i) read_pre_tokenizer(steps.at(i), out);
  } else if (type == "BertPreTokenizer") {
    out.emplace_back(BertPreTokenizer{});
  } else if (type == "Whitespace") {
    out.emplace_back(WhitespacePreTokenizer{});
  } else if (type == "WhitespaceSplit") {
    out.emplace_back(WhitespaceSplitPreTokenizer{});
  } else if (type == "Punctuation") {
    out.emplace_back(PunctuationPreTokenizer{
        field.has("behavior") ? read_behavior(field.at("behavior")) : SplitBehavior::kIsolated});
  } else if (type == "Digits") {
    out.emplace_back(DigitsPreTokenizer{field.at("individual_digits").boolean()});
  } else if (type == "CharDelimiterSplit") {
    out.emplace_back(DelimiterPreTokenizer{read_character(field.at("delimiter"))});
  } else if (type == "Metaspace") {
    out.emplace_back(MetaspacePreTokenizer{read_character(field.at("replacement")),
                                           read_prepend(field), field.boolean_or("split", true)});
  } else if (type == "ByteLevel") {
    out.emplace_back(ByteLevelPreTokenizer{field.at("add_prefix_space").boolean(),
                                           field.boolean_or("use_regex", true)});
  } else if (type == "Split") {
    out.emplace_back(SplitPreTokenizer{read_pattern(field.at("pattern")),
                                       read_behavior(field.at("behavior")),
                                       field.at("invert").boolean()});
  } else if (type == "FixedLength") {
    out.emplace_back(
        FixedLengthPreTokenizer{static_cast<size_t>(field.integer_or("length", 1, INT32_MAX, 5))});
  } else {
    unknown_component(field, type);
  }
}

void read_decoder(const JsonField& field, std::vector<Decoder>& out) {
  const std::string type = component_type(field);
  if (type == "Sequence") {
    const JsonField steps = field.at("decoders");
    for (size_t i = 0; i < steps.short_array_size(); ++i) read_decoder(steps.at(i), out);
  } else if (type == "WordPiece") {
    out.emplace_back(WordPieceDecoder{field.at("prefix").string(), field.at("cleanup").boolean()});
  } else if (type == "BPEDecoder") {
    out.emplace_back(BpeDecoder{field.at("suffix").string()});
  } else if (type == "ByteLevel") {
    out.emplace_back(ByteLevelDecoder{});
  } else if (type == "Metaspace") {
    out.emplace_back(
        MetaspaceDecoder{read_character(field.at("replacement")),
                         read_prepend(field) != MetaspacePreTokenizer::Prepend::kNever});
  } else if (type == "Replace") {
    out.emplace_back(
        ReplaceDecoder{read_pattern(field.at("pattern")), field.at("content").string()});
  } else if (type == "Fuse") {
    out.emplace_back(FuseDecoder{});
  } else if (type == "Strip") {
    out.emplace_back(StripDecoder{read_character(field.at("content")),
                                  static_cast<size_t>(field.at("start").integer(0, INT32_MAX)),
                                  static_cast<size_t>(field.at("stop").integer(0, INT32_MAX))});
  } else if (type == "ByteFallback") {
    out.emplace_back(ByteFallbackDecoder{});
  } else if (type == "CTC") {
    out.emplace_back(CtcDecoder{field.at("pad_token").string(),
                                field.at("word_delimiter_token").string(),
                                field.at("cleanup").boolean()});
  } else {
    unknown_component(field, type);
  }
}

}  // namespace embedforge
