// Readers of normalizers, pre-tokenizers and decoders: one branch for each `type` of
// tokenizer.json.
#include "tokenize/components.h"
#include "tokenize/json_field.h"

namespace embedforge {

void read_normalizer(const JsonField& field, std::vector<Normalizer>& out) {
  const std::string type = component_type(field);
  if (type == "Sequence") {
    const JsonField steps = field.at("normalizers");
    for (size_t i = 0; i < steps.array_size(); ++i) read_normalizer(steps.at(i), out);
  } else if (type == "BertNormalizer") {
    BertNormalizer bert;
    bert.clean_text = field.at("clean_text").boolean();
    bert.handle_chinese_chars = field.at("handle_chinese_chars").boolean();
    bert.lowercase = field.at("lowercase").boolean();
    bert.strip_accents = field.boolean_or("strip_accents", bert.lowercase);
    out.emplace_back(bert);
  } else {
    unknown_component(field, type);
  }
}

void read_pre_tokenizer(const JsonField& field, std::vector<PreTokenizer>& out) {
  const std::string type = component_type(field);
  if (type == "Sequence") {
    const JsonField steps = field.at("pretokenizers");
    for (size_t i = 0; i < steps.array_size(); ++i) read_pre_tokenizer(steps.at(i), out);
  } else if (type == "BertPreTokenizer") {
    out.emplace_back(BertPreTokenizer{});
  } else {
    unknown_component(field, type);
  }
}

void read_decoder(const JsonField& field, std::vector<Decoder>& out) {
  const std::string type = component_type(field);
  if (type == "Sequence") {
    const JsonField steps = field.at("decoders");
    for (size_t i = 0; i < steps.array_size(); ++i) read_decoder(steps.at(i), out);
  } else if (type == "WordPiece") {
    out.emplace_back(WordPieceDecoder{field.at("prefix").string(), field.at("cleanup").boolean()});
  } else {
    unknown_component(field, type);
  }
}

}  // namespace embedforge
