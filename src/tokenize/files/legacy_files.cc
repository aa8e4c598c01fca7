#include "tokenize/files/legacy_files.h"

#include <fmt/format.h>

#include <charconv>

#include "base/mapped_file.h"
#include "embedforge/error.h"
#include "tokenize/files/json_field.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Lines without the white space at their ends.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    line.erase(line.find_last_not_of(" \t\r\f\v") + 1);
    lines.push_back(std::move(line));
    begin = end + 1;
  }
  return lines;
}

json document_of(json model, json normalizer, json pre_tokenizer, json post_processor, json decoder,
                 json added_tokens) {
  return {{"version", "1.0"},
          {"model", std::move(model)},
          {"normalizer", std::move(normalizer)},
          {"pre_tokenizer", std::move(pre_tokenizer)},
          {"post_processor", std::move(post_processor)},
          {"decoder", std::move(decoder)},
          {"added_tokens", std::move(added_tokens)}};
}

/// The configuration's list, or `names` where it has none.
json special_tokens(const TokenizerSettings& settings, const std::vector<std::string>& names,
                    const std::string& mask, const json& vocab) {
  json tokens = settings.added_tokens();
  if (!tokens.empty()) return tokens;
  for (const std::string& name : names) {
    if (vocab.contains(name)) tokens.push_back(added_token(name, false));
  }
  if (vocab.contains(mask)) tokens.push_back(added_token(mask, mask == "<mask>"));
  return tokens;
}

json wordpiece_document(const fs::path& path, const TokenizerSettings& settings) {
  json vocab = json::object();
  int id = 0;
  for (std::string& line : lines_of(read_text_file(path))) vocab[std::move(line)] = id++;
  const bool roberta = !vocab.contains("[CLS]") && vocab.contains("<s>");  // MPNet
  const std::string unknown = settings.text("unk_token", "[UNK]");
  const std::string cls = settings.text("cls_token", roberta ? "<s>" : "[CLS]");
  const std::string sep = settings.text("sep_token", roberta ? "</s>" : "[SEP]");
  const std::string pad = settings.text("pad_token", roberta ? "<pad>" : "[PAD]");
  const std::string mask = settings.text("mask_token", roberta ? "<mask>" : "[MASK]");
  const auto between = roberta ? std::vector<std::string>{sep, sep} : std::vector<std::string>{sep};
  const json strip = settings.config.value("strip_accents", json());
  return document_of({{"type", "WordPiece"},
                      {"unk_token", unknown},
                      {"continuing_subword_prefix", "##"},
                      {"max_input_chars_per_word", 100},
                      {"vocab", vocab}},
                     {{"type", "BertNormalizer"},
                      {"clean_text", true},
                      {"handle_chinese_chars", settings.flag("tokenize_chinese_chars", true)},
                      {"strip_accents", strip},
                      {"lowercase", settings.flag("do_lower_case", true)}},
                     {{"type", "BertPreTokenizer"}},
                     template_processing({cls}, between, {sep}, roberta ? 0 : 1, vocab),
                     {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}},
                     special_tokens(settings, {pad, unknown, cls, sep}, mask, vocab));
}

json byte_level_document(const fs::path& folder, const TokenizerSettings& settings) {
  const fs::path path = folder / "vocab.json";
  json vocab = parse_json(read_text_file(path), path.string());
  json merges = json::array();
  for (std::string& line : lines_of(read_text_file(folder / "merges.txt"))) {
    if (!line.empty() && !line.starts_with("#version")) merges.push_back(std::move(line));
  }
  const bool prefix = settings.flag("add_prefix_space", false);
  const bool qwen = settings.is_class("Qwen2");
  const std::string cls = settings.text("cls_token", "<s>");
  const std::string sep = settings.text("sep_token", "</s>");
  const bool roberta = !qwen && !settings.is_class("GPT2") && vocab.is_object() &&
                       vocab.contains(cls) && vocab.contains(sep);
  json words = {{"type", "ByteLevel"},
                {"add_prefix_space", prefix},
                {"trim_offsets", true},
                {"use_regex", !qwen}};
  if (qwen) {
    words = {{"type", "Sequence"},
             {"pretokenizers",
              {{{"type", "Split"},
                {"pattern", {{"Regex", kQwenWords}}},
                {"behavior", "Isolated"},
                {"invert", false}},
               words}}};
  }
  json post = {{"type", "ByteLevel"}, {"add_prefix_space", prefix}, {"trim_offsets", false}};
  if (roberta) {
    post = {{"type", "RobertaProcessing"},
            {"sep", {sep, vocab[sep]}},
            {"cls", {cls, vocab[cls]}},
            {"trim_offsets", true},
            {"add_prefix_space", prefix}};
  }
  const std::string unknown = roberta ? settings.text("unk_token", "<unk>") : "";
  return document_of(
      {{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}},
      qwen ? json{{"type", "NFC"}} : json(), words, post, {{"type", "ByteLevel"}},
      special_tokens(settings, {cls, settings.text("pad_token", "<pad>"), sep, unknown},
                     settings.text("mask_token", "<mask>"), vocab));
}

TokenizerParts read_document(const json& document, const fs::path& path) {
  std::string text;
  try {
    text = document.dump();
  } catch (const json::type_error&) {
    throw_bad_input(path.string() + ": a token or setting is not valid UTF-8");
  }
  return read_tokenizer_json(text, path.string());
}

}  // namespace

json added_token(const std::string& content, bool lstrip) {
  return {{"id", 0},         {"content", content},  {"single_word", false}, {"lstrip", lstrip},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

json template_processing(const std::vector<std::string>& before,
                         const std::vector<std::string>& between,
                         const std::vector<std::string>& after, int second_type, const json& ids) {
  json single = json::array();
  json pair = json::array();
  json specials = json::object();
  const auto add = [&](json& pieces, const std::vector<std::string>& tokens, int type) {
    for (const std::string& token : tokens) {
      pieces.push_back({{"SpecialToken", {{"id", token}, {"type_id", type}}}});
      const json id = ids.value(token, json(-1));
      specials[token] = {
          {"id", token}, {"ids", json::array({id})}, {"tokens", json::array({token})}};
    }
  };
  const auto sequence = [](const char* id, int type) {
    return json{{"Sequence", {{"id", id}, {"type_id", type}}}};
  };
  add(single, before, 0);
  single.push_back(sequence("A", 0));
  add(single, after, 0);
  add(pair, before, 0);
  pair.push_back(sequence("A", 0));
  add(pair, between, 0);
  pair.push_back(sequence("B", second_type));
  add(pair, after, second_type);
  return {{"type", "TemplateProcessing"},
          {"single", single},
          {"pair", pair},
          {"special_tokens", specials}};
}

TokenizerParts read_legacy_folder(const fs::path& folder, const TokenizerSettings& settings) {
  if (const fs::path path = folder / "vocab.txt"; fs::exists(path)) {
    return read_document(wordpiece_document(path, settings), path);
  }
  if (const fs::path path = folder / "vocab.json";
      fs::exists(path) && fs::exists(folder / "merges.txt")) {
    return read_document(byte_level_document(folder, settings), path);
  }
  for (const char* name : {"sentencepiece.bpe.model", "spiece.model", "spm.model",
                           "tokenizer.model", "sentencepiece.model"}) {
    const fs::path path = folder / name;
    if (!fs::exists(path)) continue;
    const MappedFile file = MappedFile::open(path);
    const auto bytes = file.bytes();
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return read_document(sentencepiece_document(text, path.string(), settings), path);
  }
  throw_bad_input(
      fmt::format("{}: no tokenizer.json, vocab.txt, vocab.json with merges.txt or "
                  "sentencepiece model there: copy the tokenizer beside the model",
                  folder.string()));
}

}  // namespace embedforge
