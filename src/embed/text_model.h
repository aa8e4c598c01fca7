// Takes: a model's name. Gives: everything of it but the network: files, settings, tokenizer; texts
// become a token batch. Never: knows who runs the network.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/backend.h"
#include "base/token_batch.h"
#include "config/model_config.h"
#include "tokenize/tokenizer.h"

namespace embedforge {

/// The tokens of texts, or of pairs of texts (with types), one after another.
struct TokenizedTexts {
  std::vector<int32_t> ids, type_ids;
  std::vector<size_t> offsets = {0};
  size_t skip = 0;

  TokenBatch batch() const { return {ids, type_ids, offsets, skip}; }
};

struct TextModel {
  std::filesystem::path onnx;
  ModelConfig config;
  Tokenizer tokenizer;
  size_t max_length = 0;  // 0: no bound

  /// Errors: kBadInput with the file.
  static TextModel load(const std::string& model, const EmbedderOptions& options);

  /// No text may have more tokens than this; 0: no bound.
  void limit_length(size_t most);
  /// Errors: kBadInput for invalid UTF-8, with the text's index counted from batch.first.
  TokenizedTexts tokenize(const TextBatch& batch) const;
  /// The tokens that a prompt put before a text takes, where pooling leaves them out; else 0.
  size_t skipped_tokens(std::string_view prompt) const;
  /// The query with each text; `first`: the first one's index, for messages.
  TokenizedTexts tokenize_pairs(std::string_view query, std::span<const std::string> texts,
                                size_t first) const;
};

}  // namespace embedforge
