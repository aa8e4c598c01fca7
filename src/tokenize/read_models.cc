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

}  // namespace

const Vocabulary& vocabulary(const Model& model) {
  return std::visit([](const auto& m) -> const Vocabulary& { return m.vocabulary(); }, model);
}

std::unique_ptr<Model> read_model(const JsonField& field) {
  // Old files leave the type out; the fields tell.
  const std::string type = field.has("type")                        ? field.at("type").string()
                           : field.has("continuing_subword_prefix") ? "WordPiece"
                                                                    : "";
  if (type == "WordPiece") return std::make_unique<Model>(read_wordpiece(field));
  if (type.empty()) field.bad("lacks the field 'type'");
  unknown_component(field, type);
}

}  // namespace embedforge
