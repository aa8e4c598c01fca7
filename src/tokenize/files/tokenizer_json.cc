#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "embedforge/error.h"
#include "tokenize/files/components.h"
#include "tokenize/files/json_field.h"

namespace embedforge {
namespace {

/// Added tokens keep the id of an equal vocabulary entry; others get the next free ones in order,
/// whatever `id` says. The reference does so, and a file whose ids disagree would otherwise give
/// other ids here than there.
std::vector<AddedToken> read_added_tokens(const JsonField& field, const Vocabulary& vocabulary) {
  std::vector<AddedToken> tokens;
  std::unordered_map<std::string, size_t> known;
  auto next = static_cast<int32_t>(vocabulary.size());
  size_t i = 0;
  for (const simdjson::dom::element element : field.array()) {
    const JsonField entry(element, field.file(), fmt::format("{}[{}]", field.path(), i++));
    AddedToken token;
    token.content = entry.at("content").string();
    (void)entry.at("id").integer(0, Vocabulary::kMaxId);
    token.single_word = entry.boolean_or("single_word", false);
    token.lstrip = entry.boolean_or("lstrip", false);
    token.rstrip = entry.boolean_or("rstrip", false);
    token.normalized = entry.boolean_or("normalized", true);
    token.special = entry.boolean_or("special", false);
    if (token.content.empty()) continue;
    const auto [it, added] = known.emplace(token.content, tokens.size());
    if (!added) {
      token.id = tokens[it->second].id;
      tokens[it->second] = token;
      continue;
    }
    token.id = vocabulary.id(token.content);
    if (token.id < 0) token.id = next++;
    tokens.push_back(std::move(token));
  }
  return tokens;
}

int32_t last_id(const TokenizerParts& parts) {
  auto last = static_cast<int32_t>(vocabulary(*parts.model).id_count()) - 1;
  for (const AddedToken& token : parts.added_tokens) last = std::max(last, token.id);
  return last;
}

struct CheckIds {
  const std::string& file;
  int32_t last;

  void check(int32_t id, const std::string& name) const {
    if (id > last) {
      throw_bad_input(fmt::format("{}: post_processor gives '{}' the id {}, but the last id is {}",
                                  file, name, id, last));
    }
  }
  void operator()(const TemplateProcessor& p) const {
    for (const auto* pieces : {&p.single, &p.pair}) {
      for (const TemplatePiece& piece : *pieces) {
        for (size_t i = 0; i < piece.ids.size(); ++i) check(piece.ids[i], piece.tokens[i]);
      }
    }
  }
  void operator()(const BertProcessor& p) const {
    check(p.sep.id, p.sep.text);
    check(p.cls.id, p.cls.text);
  }
  void operator()(const RobertaProcessor& p) const {
    check(p.sep.id, p.sep.text);
    check(p.cls.id, p.cls.text);
  }
  void operator()(const ByteLevelProcessor&) const {}
};

}  // namespace

std::string component_type(const JsonField& field) { return field.at("type").string(); }

void unknown_component(const JsonField& field, const std::string& type) {
  throw_not_supported(fmt::format("{}: {}.type '{}' is not supported by this version of embedforge",
                                  field.file(), field.path(), type));
}

TokenizerParts read_tokenizer_json(std::string_view json, const std::string& file) {
  const JsonDocument document(json, file);
  const JsonField root(document.root(), file, "");
  TokenizerParts parts;
  if (root.has("version") && root.at("version").string() != "1.0") {
    root.at("version").bad("must be \"1.0\"");
  }
  parts.model = read_model(root.at("model"));
  if (root.has("normalizer")) read_normalizer(root.at("normalizer"), parts.normalizers);
  if (root.has("pre_tokenizer")) read_pre_tokenizer(root.at("pre_tokenizer"), parts.pre_tokenizers);
  if (root.has("post_processor")) {
    read_post_processor(root.at("post_processor"), parts.post_processors);
  }
  parts.has_decoder = root.has("decoder");
  if (parts.has_decoder) read_decoder(root.at("decoder"), parts.decoders);
  if (root.has("added_tokens")) {
    parts.added_tokens = read_added_tokens(root.at("added_tokens"), vocabulary(*parts.model));
  }
  if (root.has("truncation")) {
    parts.cuts_left = root.at("truncation").string_or("direction", "Right") == "Left";
  }
  const int32_t last = last_id(parts);
  for (const PostProcessor& step : parts.post_processors) std::visit(CheckIds{file, last}, step);
  return parts;
}

}  // namespace embedforge
