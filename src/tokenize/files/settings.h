// What stands beside a tokenizer.json or a vocabulary, as transformers 5 reads it:
// tokenizer_config.json, special_tokens_map.json, added_tokens.json and config.json.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenize/split/added_tokens.h"

namespace embedforge {

struct TokenizerSettings {
  /// tokenizer_config.json with what special_tokens_map.json adds: where the former has no
  /// added_tokens_decoder, the latter's values count.
  nlohmann::json config = nlohmann::json::object();
  std::string file;  // tokenizer_config.json's path, for messages
  /// transformers' class (without "Fast"), of tokenizer_config.json, else of config.json, else the
  /// one of config.json's model_type; empty: tokenizer.json counts as it is.
  std::string tokenizer_class;
  /// added_tokens_decoder, else added_tokens.json, by id.
  std::vector<AddedToken> listed;
  bool has_decoder = false;  // `listed` are added_tokens_decoder's

  std::string text(const std::string& key, const std::string& fallback) const;
  /// Errors: kBadInput for another type.
  bool flag(const std::string& key, bool fallback) const;
  /// Whether the tokenizer_class that the files name begins with `name`.
  bool is_class(std::string_view name) const;
  /// added_tokens_decoder, as in tokenizer.json's added_tokens.
  nlohmann::json added_tokens() const;
  /// The tokens that settings name by a role (bos_token, image_token, ...) and the extra ones.
  std::vector<AddedToken> named() const;
  /// As `listed` or the settings have it; `text` alone: special, not normalized.
  AddedToken token(const nlohmann::json& value, const std::string& key) const;
  /// Whether a text that is too long is cut at its start; nullopt: not said.
  std::optional<bool> cuts_left() const;
  /// Whether model_input_names has token_type_ids (or isn't there).
  bool gives_types() const;
};

/// Errors: kBadInput with file and field; kNotSupported with the class for a tokenizer that is
/// another program (BertJapaneseTokenizer, PhobertTokenizer, ...).
TokenizerSettings read_tokenizer_settings(const std::filesystem::path& folder);

/// The whole file but a byte order mark. Errors: kBadInput.
std::string read_text_file(const std::filesystem::path& path);

}  // namespace embedforge
