// Takes: a model's name. Gives: everything of it but the network: files, settings, tokenizer; texts
// become a ragged token batch. Never: knows who runs the network.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "backends/backend.h"
#include "config/model_config.h"
#include "tokenize/tokenizer.h"

namespace embedforge {

struct TokenRows {
  std::vector<int32_t> ids;
  std::vector<size_t> offsets;  // texts + 1 entries
  size_t skip = 0;  // tokens at the start of each text that pooling leaves out (the prompt's)
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
  /// The text as the tokenizer gets it: prompt before it, white space off, lower case if the model
  /// wants that. `changed` holds it if need be.
  std::string_view prepared(std::string_view text, std::string_view prompt,
                            std::string& changed) const;
  /// Errors: kBadInput for invalid UTF-8, with the text's index.
  TokenRows tokenize(const TextBatch& batch) const;
  /// The prompt that the options ask for. Errors: kUsage for a name that the model hasn't.
  std::string prompt_of(const EncodeOptions& options) const;
};

}  // namespace embedforge
