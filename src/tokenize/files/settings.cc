#include "tokenize/files/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/byte_order_mark.h"
#include "base/mapped_file.h"
#include "embedforge/error.h"
#include "tokenize/files/json_field.h"
#include "tokenize/files/tokenizer_class.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::array kRoles = {"bos_token", "eos_token", "unk_token", "sep_token",
                               "pad_token", "cls_token", "mask_token"};

/// An empty object where there is no such file.
json read_object(const fs::path& path) {
  if (!fs::exists(path)) return json::object();
  json document = parse_json(read_text_file(path), path.string());
  if (!document.is_object()) throw_bad_input(path.string() + ": the document must be an object");
  return document;
}

int32_t id_of(const std::string& text, const std::string& file) {
  int32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw_bad_input(file + ": added_tokens_decoder has the key '" + text +
                    "', which is not a token's id");
  }
  return number;
}

bool names_a_token(const json& value) {
  return value.is_string() || (value.is_object() && value.contains("content"));
}

/// special_tokens_map.json into the configuration, as transformers merges it where that has no
/// added_tokens_decoder.
void merge_special_tokens(const json& map, json& config) {
  for (const auto& [key, given] : map.items()) {
    json value = given;
    if (value.is_object() && value.contains("content")) value["special"] = true;
    if (key == "extra_special_tokens" && value.is_array() && config.contains(key) &&
        config[key].is_array()) {
      json all = config[key];
      for (json& token : value) all.push_back(std::move(token));
      value = std::move(all);
    }
    config[key] = std::move(value);
  }
}

/// added_tokens.json: text and id.
std::vector<AddedToken> read_added(const fs::path& path, const TokenizerSettings& settings) {
  std::vector<AddedToken> named = settings.named();
  std::vector<AddedToken> out;
  const json added = read_object(path);
  for (const auto& [text, id] : added.items()) {
    if (!id.is_number_integer()) {
      throw_bad_input(path.string() + ": the id of '" + text + "' must be a whole number");
    }
    AddedToken token;
    token.content = text;
    token.id = id.get<int32_t>();
    token.special = std::ranges::find(named, text, &AddedToken::content) != named.end();
    token.normalized = !token.special;
    out.push_back(std::move(token));
  }
  return out;
}

}  // namespace

std::string read_text_file(const fs::path& path) {
  const MappedFile file = MappedFile::open(path);
  const auto bytes = file.bytes();
  return std::string(
      without_byte_order_mark({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
}

std::string TokenizerSettings::text(const std::string& key, const std::string& fallback) const {
  const auto it = config.find(key);
  if (it == config.end()) return fallback;
  if (it->is_string()) return it->get<std::string>();
  if (it->is_object() && it->contains("content") && (*it)["content"].is_string()) {
    return (*it)["content"].get<std::string>();
  }
  return fallback;
}

bool TokenizerSettings::flag(const std::string& key, bool fallback) const {
  const auto it = config.find(key);
  if (it == config.end() || it->is_null()) return fallback;
  if (!it->is_boolean()) throw_bad_input(file + ": field '" + key + "' must be true or false");
  return it->get<bool>();
}

bool TokenizerSettings::is_class(std::string_view name) const {
  return text("tokenizer_class", "").starts_with(name);
}

json TokenizerSettings::added_tokens() const {
  json tokens = json::array();
  const auto it = config.find("added_tokens_decoder");
  if (it == config.end() || !it->is_object()) return tokens;
  for (const auto& [id, entry] : it->items()) {
    if (!entry.is_object()) continue;
    json token = entry;
    token["id"] = id_of(id, "tokenizer_config.json");
    tokens.push_back(std::move(token));
  }
  std::sort(tokens.begin(), tokens.end(),
            [](const json& a, const json& b) { return a["id"] < b["id"]; });
  return tokens;
}

AddedToken TokenizerSettings::token(const json& value, const std::string& key) const {
  AddedToken out;
  out.special = true;
  out.normalized = false;
  if (value.is_string()) {
    out.content = value.get<std::string>();
    return out;
  }
  const auto content = value.is_object() ? value.find("content") : value.end();
  if (!value.is_object() || content == value.end() || !content->is_string()) {
    throw_bad_input(file + ": field '" + key +
                    "' must be a token: a text, or an object with content");
  }
  out.content = content->get<std::string>();
  const auto flag = [&](const char* name, bool fallback) {
    const auto it = value.find(name);
    return it != value.end() && it->is_boolean() ? it->get<bool>() : fallback;
  };
  out.special = flag("special", false);
  out.normalized = flag("normalized", !out.special);
  out.single_word = flag("single_word", false);
  out.lstrip = flag("lstrip", false);
  out.rstrip = flag("rstrip", false);
  return out;
}

std::vector<AddedToken> TokenizerSettings::named() const {
  std::vector<AddedToken> out;
  const auto add = [&](const json& value, const std::string& key) {
    if (!value.is_null()) out.push_back(token(value, key));
  };
  const auto is_role = [](const std::string& key) {
    return std::ranges::find(kRoles, key) != kRoles.end();
  };
  for (const char* role : kRoles) {
    if (config.contains(role)) add(config[role], role);
  }
  for (const auto& [key, value] : config.items()) {
    if (key.ends_with("_token") && !is_role(key) && names_a_token(value)) add(value, key);
  }
  const char* extra =
      config.contains("extra_special_tokens") && !config["extra_special_tokens"].empty()
          ? "extra_special_tokens"
          : "additional_special_tokens";
  if (config.contains(extra) && config[extra].is_structured()) {
    for (const auto& [key, value] : config[extra].items()) add(value, extra);
  }
  for (AddedToken& token : out) {
    const auto known = std::ranges::find(listed, token.content, &AddedToken::content);
    if (known != listed.end()) token = *known;
    token.special = true;
  }
  return out;
}

std::optional<bool> TokenizerSettings::cuts_left() const {
  const auto it = config.find("truncation_side");
  if (it == config.end()) return std::nullopt;
  if (*it == "left") return true;
  if (*it == "right") return false;
  throw_bad_input(file + ": field 'truncation_side' must be \"left\" or \"right\"");
}

bool TokenizerSettings::gives_types() const {
  const auto it = config.find("model_input_names");
  return it == config.end() || !it->is_array() ||
         std::ranges::find(*it, json("token_type_ids")) != it->end();
}

TokenizerSettings read_tokenizer_settings(const fs::path& folder) {
  TokenizerSettings out;
  out.file = (folder / "tokenizer_config.json").string();
  out.config = read_object(folder / "tokenizer_config.json");
  out.has_decoder = out.config.contains("added_tokens_decoder");
  if (out.has_decoder) {
    for (const json& entry : out.added_tokens()) {
      out.listed.push_back(out.token(entry, "added_tokens_decoder"));
      out.listed.back().id = entry["id"].get<int32_t>();
    }
  } else {
    merge_special_tokens(read_object(folder / "special_tokens_map.json"), out.config);
    out.listed = read_added(folder / "added_tokens.json", out);
  }
  std::ranges::stable_sort(out.listed, {}, &AddedToken::id);
  const json model = read_object(folder / "config.json");
  const auto name = [&model](const char* key) {
    const auto it = model.find(key);
    return it != model.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  std::string named = out.text("tokenizer_class", "");
  if (named.empty()) named = name("tokenizer_class");
  const auto code = out.config.find("auto_map");
  const bool remote = code != out.config.end() &&
                      (code->is_array() || (code->is_object() && code->contains("AutoTokenizer")));
  out.tokenizer_class = resolve_class(named, name("model_type"), remote, out.file);
  return out;
}

}  // namespace embedforge
