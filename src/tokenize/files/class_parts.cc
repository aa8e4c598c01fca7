#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "embedforge/error.h"
#include "tokenize/files/json_field.h"
#include "tokenize/files/legacy_files.h"
#include "tokenize/files/tokenizer_class.h"

namespace embedforge {
namespace {

using nlohmann::json;

enum class Post { kAsFile, kNone, kTemplate, kRoberta, kEndOnly };

struct Recipe {
  const char* model;          // the component that the class makes
  json normalizer;            // null: none; "file": the file's Precompiled where it has one
  json pre_tokenizer;         //
  Post post = Post::kAsFile;  //
  const char* first = "cls_token";
  const char* last = "sep_token";
  int second_type = 0;      // of the second of a pair, kTemplate
  bool last_twice = false;  // between a pair
  int unknown_id = -2;      // of Unigram; -2: any
  json roles;               // what a special token is where the settings don't say
  std::vector<std::string> extra;
};

json bert_normalizer(const TokenizerSettings& settings) {
  const auto strip = settings.config.find("strip_accents");
  return {{"type", "BertNormalizer"},
          {"clean_text", true},
          {"handle_chinese_chars", settings.flag("tokenize_chinese_chars", true)},
          {"strip_accents", strip == settings.config.end() ? json() : *strip},
          {"lowercase", settings.flag("do_lower_case", true)}};
}

json sequence(const char* key, json steps) {
  return {{"type", "Sequence"}, {key, std::move(steps)}};
}
json pre_sequence(json steps) { return sequence("pretokenizers", std::move(steps)); }

json metaspace(const char* scheme, bool split) {
  return {{"type", "Metaspace"},
          {"replacement", "\u2581"},
          {"prepend_scheme", scheme},
          {"split", split}};
}
/// Words, each with the mark before it (XLM-R, CamemBERT, T5, ALBERT).
json marked_words(bool prefix) {
  return pre_sequence(
      {{{"type", "WhitespaceSplit"}}, metaspace(prefix ? "always" : "never", true)});
}
json byte_level(bool prefix, bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", prefix},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}
json replace(const char* kind, const char* pattern, const char* content) {
  return {{"type", "Replace"}, {"pattern", {{kind, pattern}}}, {"content", content}};
}
json type(const char* name) { return {{"type", name}}; }

/// A token that is looked for in normalized text, as MPNet's class makes them.
json normalized(const char* content, bool lstrip) {
  return {{"content", content}, {"lstrip", lstrip}, {"normalized", true}, {"special", true}};
}
const json& fairseq_roles() {
  static const json roles = {
      {"bos_token", "<s>"},   {"eos_token", "</s>"},  {"sep_token", "</s>"},   {"cls_token", "<s>"},
      {"unk_token", "<unk>"}, {"pad_token", "<pad>"}, {"mask_token", "<mask>"}};
  return roles;
}

Recipe wordpiece(const TokenizerSettings& settings, bool mpnet) {
  Recipe out{"WordPiece", bert_normalizer(settings), type("BertPreTokenizer")};
  out.post = mpnet ? Post::kRoberta : Post::kTemplate;
  out.second_type = 1;
  if (mpnet) {
    out.roles = {
        {"bos_token", normalized("<s>", false)},   {"eos_token", normalized("</s>", false)},
        {"sep_token", normalized("</s>", false)},  {"cls_token", normalized("<s>", false)},
        {"unk_token", normalized("[UNK]", false)}, {"pad_token", normalized("<pad>", false)},
        {"mask_token", normalized("<mask>", true)}};
  } else {
    out.roles = {{"unk_token", "[UNK]"},
                 {"sep_token", "[SEP]"},
                 {"pad_token", "[PAD]"},
                 {"cls_token", "[CLS]"},
                 {"mask_token", "[MASK]"}};
  }
  return out;
}

Recipe byte_pairs(const std::string& name, const TokenizerSettings& settings) {
  const bool prefix = settings.flag("add_prefix_space", false);
  Recipe out{"BPE", json(), byte_level(prefix, true)};
  const char* end = "<|endoftext|>";
  out.roles = {{"unk_token", end}, {"bos_token", end}, {"eos_token", end}};
  if (name == "Roberta") {
    out.post = Post::kRoberta;
    out.roles = fairseq_roles();
  } else if (name == "GPTNeoX") {
    out.normalizer = type("NFC");
    out.post = Post::kNone;
    out.roles["pad_token"] = "<|padding|>";
  } else if (name == "Qwen2") {
    out.normalizer = type("NFC");
    out.pre_tokenizer = pre_sequence({{{"type", "Split"},
                                       {"pattern", {{"Regex", kQwenWords}}},
                                       {"behavior", "Isolated"},
                                       {"invert", false}},
                                      byte_level(prefix, false)});
    out.roles = {{"unk_token", end}, {"eos_token", end}, {"pad_token", end}};
  } else if (name == "Gemma") {
    out.normalizer = replace("String", " ", "\u2581");
    out.pre_tokenizer = {{"type", "Split"},
                         {"pattern", {{"String", " "}}},
                         {"behavior", "MergedWithPrevious"},
                         {"invert", false}};
    out.roles = {{"unk_token", "<unk>"},
                 {"bos_token", "<bos>"},
                 {"eos_token", "<eos>"},
                 {"pad_token", "<pad>"},
                 {"mask_token", "<mask>"}};
  } else if (name == "Llama") {
    const char* scheme = settings.flag("legacy", false) ? "always" : "first";
    out.pre_tokenizer =
        metaspace(settings.flag("add_prefix_space", true) ? scheme : "never", false);
    out.roles = {{"unk_token", "<unk>"}, {"bos_token", "<s>"}, {"eos_token", "</s>"}};
  }
  return out;
}

Recipe unigram(const std::string& name, const TokenizerSettings& settings) {
  const bool prefix = settings.flag("add_prefix_space", true);
  Recipe out{"Unigram", "file", marked_words(prefix)};
  out.roles = fairseq_roles();
  out.post = Post::kTemplate;
  out.first = "bos_token";
  out.last = "eos_token";
  out.last_twice = true;
  if (name == "XLMRoberta") {
    out.unknown_id = 3;
  } else if (name == "Camembert") {
    out.roles["mask_token"] = {{"content", "<mask>"}, {"lstrip", true}, {"special", true}};
    out.extra = {"<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"};
  } else if (name == "T5") {
    out.pre_tokenizer = marked_words(true);
    out.post = Post::kEndOnly;
    out.unknown_id = 2;
    out.roles = {{"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}};
    const int ids = settings.config.value("extra_ids", 100);
    for (int i = 0; i < ids; ++i) out.extra.push_back(fmt::format("<extra_id_{}>", i));
  } else {
    out.post = name == "Albert" ? Post::kAsFile : Post::kTemplate;
    out.first = "cls_token";
    out.last = "sep_token";
    out.last_twice = false;
    out.second_type = 1;
    out.roles = {{"bos_token", "[CLS]"},
                 {"eos_token", "[SEP]"},
                 {"sep_token", "[SEP]"},
                 {"cls_token", "[CLS]"},
                 {"mask_token", "[MASK]"}};
    out.roles["unk_token"] = name == "Albert" ? "<unk>" : "[UNK]";
    out.roles["pad_token"] = name == "Albert" ? "<pad>" : "[PAD]";
    json steps = json::array();
    if (name == "Albert") {
      out.unknown_id = 1;
      steps = {replace("String", "``", "\""), replace("String", "''", "\"")};
      if (!settings.flag("keep_accents", false)) {
        steps.push_back(type("NFKD"));
        steps.push_back(type("StripAccents"));
      }
      if (settings.flag("do_lower_case", true)) steps.push_back(type("Lowercase"));
      steps.push_back("file");
    } else {
      if (settings.flag("do_lower_case", false)) steps.push_back(type("Lowercase"));
      steps.push_back(replace("Regex", "\\s{2,}|[\\n\\r\\t]", " "));
      steps.push_back(type("NFC"));
      steps.push_back({{"type", "Strip"}, {"strip_left", false}, {"strip_right", true}});
      json words = json::array();
      if (settings.flag("split_by_punct", false))
        words.push_back({{"type", "Punctuation"}, {"behavior", "Isolated"}});
      words.push_back(metaspace(prefix ? "always" : "first", true));
      out.pre_tokenizer = pre_sequence(std::move(words));
    }
    out.normalizer = std::move(steps);
  }
  return out;
}

Recipe recipe_of(const TokenizerSettings& settings) {
  const std::string& name = settings.tokenizer_class;
  if (name == "Bert" || name == "MPNet") return wordpiece(settings, name == "MPNet");
  for (const char* each : {"Roberta", "GPT2", "GPTNeoX", "Qwen2", "Gemma", "Llama"}) {
    if (name == each) return byte_pairs(name, settings);
  }
  return unigram(name, settings);
}

/// Reads one component from its JSON.
template <typename Out, typename Read>
void read_component(const json& value, const std::string& file, Out& out, Read read) {
  if (value.is_null()) return;
  const std::string text = value.dump();
  const JsonDocument document(text, file);
  read(JsonField(document.root(), file, "tokenizer_class"), out);
}

/// Of a file's normalizers, the class may keep the sentencepiece rules.
void set_normalizers(const json& wanted, const std::string& file, TokenizerParts& parts) {
  std::vector<Normalizer> precompiled;
  for (const Normalizer& step : parts.normalizers) {
    if (std::holds_alternative<PrecompiledNormalizer>(step) && precompiled.empty())
      precompiled.push_back(step);
  }
  parts.normalizers.clear();
  for (const json& step : wanted.is_array() ? wanted : json::array({wanted})) {
    if (step == "file") {
      parts.normalizers.insert(parts.normalizers.end(), precompiled.begin(), precompiled.end());
    } else {
      read_component(step, file, parts.normalizers, read_normalizer);
    }
  }
}

const char* model_name(const Model& model) {
  static constexpr const char* kNames[] = {"WordPiece", "BPE", "Unigram", "WordLevel"};
  return kNames[model.index()];
}

/// The class makes the model from the vocabulary (and merges) alone.
void check_model(const Recipe& recipe, const TokenizerSettings& settings,
                 const TokenizerParts& parts) {
  const auto refuse = [&](const std::string& what) {
    throw_not_supported(settings.file + ": tokenizer_class \"" + settings.tokenizer_class +
                        "Tokenizer\" makes " + what +
                        "; tokenizer_class \"PreTrainedTokenizerFast\" takes the file as it is");
  };
  const std::string found = model_name(*parts.model);
  if (found != recipe.model)
    refuse(std::string("a ") + recipe.model + ", but tokenizer.json has a " + found);
  const std::string unknown = settings.text("unk_token", "");
  if (const auto* model = std::get_if<WordPiece>(parts.model.get())) {
    const auto& options = model->options();
    if (options.continuing_prefix != "##" || options.max_characters != 100)
      refuse(
          "pieces marked with ## of words of at most 100 characters, not as tokenizer.json says");
    if (options.unknown_token != unknown)
      refuse("\"" + unknown + "\" of unknown words, tokenizer.json \"" + options.unknown_token +
             "\"");
  } else if (const auto* pieces = std::get_if<Unigram>(parts.model.get())) {
    const int32_t id = pieces->unknown_id();
    const bool same = recipe.unknown_id == -2 ? id >= 0 && pieces->vocabulary().text(id) == unknown
                                              : id == recipe.unknown_id;
    if (!same) refuse("another id of unknown pieces than tokenizer.json says");
  }
}

/// As the reference adds: an equal text keeps its id, a vocabulary's too; else the next free one.
void add_token(TokenizerParts& parts, AddedToken token) {
  if (token.content.empty()) return;
  const auto known = std::ranges::find(parts.added_tokens, token.content, &AddedToken::content);
  if (known != parts.added_tokens.end()) {
    token.id = known->id;
    *known = std::move(token);
    return;
  }
  token.id = vocabulary(*parts.model).id(token.content);
  if (token.id < 0) {
    auto next = static_cast<int32_t>(vocabulary(*parts.model).size());
    for (const AddedToken& each : parts.added_tokens) next = std::max(next, each.id + 1);
    token.id = next;
  }
  parts.added_tokens.push_back(std::move(token));
}

void add_tokens(const TokenizerSettings& settings, bool anew, TokenizerParts& parts) {
  std::vector<AddedToken> listed = settings.listed;
  if (!settings.has_decoder) {
    for (const AddedToken& token : parts.added_tokens) {
      std::erase_if(listed, [&](const AddedToken& each) { return each.id == token.id; });
    }
    if (anew) listed.insert(listed.end(), parts.added_tokens.begin(), parts.added_tokens.end());
    std::ranges::stable_sort(listed, {}, &AddedToken::id);
  }
  if (anew) parts.added_tokens.clear();
  for (AddedToken& token : listed) add_token(parts, std::move(token));
  for (AddedToken& token : settings.named()) {
    const auto known = std::ranges::find(parts.added_tokens, token.content, &AddedToken::content);
    if (known == parts.added_tokens.end()) add_token(parts, std::move(token));
  }
}

int32_t id_in(const TokenizerParts& parts, const std::string& text) {
  const auto known = std::ranges::find(parts.added_tokens, text, &AddedToken::content);
  return known != parts.added_tokens.end() ? known->id : vocabulary(*parts.model).id(text);
}

void set_post_processor(const Recipe& recipe, const TokenizerSettings& settings,
                        TokenizerParts& parts) {
  if (recipe.post == Post::kAsFile) return;
  parts.post_processors.clear();
  if (recipe.post == Post::kNone) return;
  const std::string first = settings.text(recipe.first, "");
  const std::string last = recipe.post == Post::kEndOnly ? "</s>" : settings.text(recipe.last, "");
  json ids = json::object();
  for (const std::string& token : {first, last}) ids[token] = id_in(parts, token);
  if (recipe.post == Post::kRoberta) {
    parts.post_processors.emplace_back(RobertaProcessor{
        {last, ids[last].get<int32_t>()},
        {first, ids[first].get<int32_t>()},
        settings.flag("trim_offsets", true),
        settings.tokenizer_class == "Roberta" && settings.flag("add_prefix_space", false)});
    return;
  }
  const bool end_only = recipe.post == Post::kEndOnly;
  const std::vector<std::string> before =
      end_only ? std::vector<std::string>{} : std::vector<std::string>{first};
  const std::vector<std::string> between(recipe.last_twice && !end_only ? 2 : 1, last);
  read_component(template_processing(before, between, {last}, recipe.second_type, ids),
                 settings.file, parts.post_processors, read_post_processor);
}

}  // namespace

void apply_settings(const TokenizerSettings& given, bool from_json, TokenizerParts& parts) {
  TokenizerSettings settings = given;
  if (const auto left = settings.cuts_left()) parts.cuts_left = *left;
  parts.gives_types = settings.gives_types();
  if (settings.tokenizer_class.empty() || !from_json) return add_tokens(settings, false, parts);
  const bool bytes = std::ranges::any_of(parts.pre_tokenizers, [](const PreTokenizer& step) {
    return std::holds_alternative<ByteLevelPreTokenizer>(step);
  });
  if (settings.tokenizer_class == "Llama" && bytes) return add_tokens(settings, false, parts);
  const Recipe recipe = recipe_of(settings);
  for (const auto& [role, token] : recipe.roles.items()) {
    const auto it = settings.config.find(role);
    if (it == settings.config.end()) {
      settings.config[role] = token;
    } else if (settings.tokenizer_class == "MPNet" && it->is_string()) {
      *it = normalized(it->get<std::string>().c_str(), role == "mask_token");
    }
  }
  if (!recipe.extra.empty() && !settings.config.contains("extra_special_tokens") &&
      !settings.config.contains("additional_special_tokens"))
    settings.config["extra_special_tokens"] = recipe.extra;
  check_model(recipe, settings, parts);
  set_normalizers(recipe.normalizer, settings.file, parts);
  parts.pre_tokenizers.clear();
  read_component(recipe.pre_tokenizer, settings.file, parts.pre_tokenizers, read_pre_tokenizer);
  add_tokens(settings, true, parts);
  if (settings.tokenizer_class == "Qwen2") {  // whose class adds them once more, by their texts
    for (const AddedToken& token : settings.named())
      add_token(parts, {.content = token.content, .special = true});
  }
  set_post_processor(recipe, settings, parts);
}

}  // namespace embedforge
