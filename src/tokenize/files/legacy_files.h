// Tokenizers from before tokenizer.json: their files become the same document, so that one reader
// knows all components.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "tokenize/files/components.h"
#include "tokenize/files/settings.h"

namespace embedforge {

/// A folder with vocab.txt (WordPiece), vocab.json and merges.txt (byte-level BPE) or a
/// sentencepiece model; the fast tokenizers of the transformers package convert these likewise.
/// tokenizer_config.json and special_tokens_map.json count when they are there. Errors: kBadInput
/// with the folder when there is none of them.
TokenizerParts read_legacy_folder(const std::filesystem::path& folder,
                                  const TokenizerSettings& settings);

/// The pre-tokenization of Qwen2 and its embedding models.
inline constexpr const char* kQwenWords =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// A special token as in `added_tokens` of tokenizer.json.
nlohmann::json added_token(const std::string& content, bool lstrip);

/// TemplateProcessing: `before` A `after` and, with B, `before` A `between` B `after`. Ids are
/// looked up in `ids`.
nlohmann::json template_processing(const std::vector<std::string>& before,
                                   const std::vector<std::string>& between,
                                   const std::vector<std::string>& after, int second_type,
                                   const nlohmann::json& ids);

/// The document of a sentencepiece model's bytes. Errors: kBadInput with `file`.
nlohmann::json sentencepiece_document(std::string_view bytes, const std::string& file,
                                      const TokenizerSettings& settings);

}  // namespace embedforge
