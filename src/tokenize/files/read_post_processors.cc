#include "tokenize/files/components.h"
#include "tokenize/files/json_field.h"

namespace embedforge {
namespace {

constexpr int64_t kMaxType = INT32_MAX;

/// ["[CLS]", 101]
SpecialToken read_special(const JsonField& field) {
  if (field.array_size() != 2) field.bad("must be a pair of token and id");
  return {field.at(size_t{0}).string(),
          static_cast<int32_t>(field.at(size_t{1}).integer(0, Vocabulary::kMaxId))};
}

TemplatePiece read_piece(const JsonField& field, const JsonField& specials) {
  TemplatePiece piece;
  if (field.has("Sequence")) {
    const JsonField sequence = field.at("Sequence");
    const std::string id = sequence.at("id").string();
    if (id != "A" && id != "B") sequence.at("id").bad("must be \"A\" or \"B\"");
    piece.kind = id == "A" ? TemplatePiece::Kind::kFirst : TemplatePiece::Kind::kSecond;
    piece.type_id = static_cast<int32_t>(sequence.at("type_id").integer(0, kMaxType));
    return piece;
  }
  const JsonField special = field.at("SpecialToken");
  piece.type_id = static_cast<int32_t>(special.at("type_id").integer(0, kMaxType));
  const JsonField token = specials.at(special.at("id").string());
  const JsonField ids = token.at("ids");
  const JsonField texts = token.at("tokens");
  if (ids.array_size() != texts.array_size()) token.bad("needs as many ids as tokens");
  for (size_t i = 0; i < ids.short_array_size(); ++i) {
    piece.ids.push_back(static_cast<int32_t>(ids.at(i).integer(0, Vocabulary::kMaxId)));
    piece.tokens.push_back(texts.at(i).string());
  }
  return piece;
}

std::vector<TemplatePiece> read_template(const JsonField& field, const JsonField& specials,
                                         bool pair) {
  std::vector<TemplatePiece> pieces;
  for (size_t i = 0; i < field.short_array_size(); ++i) {
    pieces.push_back(read_piece(field.at(i), specials));
    if (!pair && pieces.back().kind == TemplatePiece::Kind::kSecond) {
      field.at(i).bad("uses sequence B in the template of a single sequence");
    }
  }
  return pieces;
}

}  // namespace

void read_post_processor(const JsonField& field, std::vector<PostProcessor>& out) {
  const std::string type = component_type(field);
  if (type == "Sequence") {
    const JsonField steps = field.at("processors");
    for (size_t i = 0; i < steps.short_array_size(); ++i) read_post_processor(steps.at(i), out);
  } else if (type == "TemplateProcessing") {
    const JsonField specials = field.at("special_tokens");
    out.emplace_back(TemplateProcessor{read_template(field.at("single"), specials, false),
                                       read_template(field.at("pair"), specials, true)});
  } else if (type == "BertProcessing") {
    out.emplace_back(BertProcessor{read_special(field.at("sep")), read_special(field.at("cls"))});
  } else if (type == "RobertaProcessing") {
    out.emplace_back(RobertaProcessor{read_special(field.at("sep")), read_special(field.at("cls")),
                                      field.at("trim_offsets").boolean(),
                                      field.at("add_prefix_space").boolean()});
  } else if (type == "ByteLevel") {
    out.emplace_back(ByteLevelProcessor{field.at("trim_offsets").boolean(),
                                        field.at("add_prefix_space").boolean()});
  } else {
    unknown_component(field, type);
  }
}

}  // namespace embedforge
