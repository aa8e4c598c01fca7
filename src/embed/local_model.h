// Takes: a model on this machine. Gives: vectors of texts, or scores of pairs: its tokenizer, then
// whoever runs its network. Never: cuts or normalizes.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "backends/backend.h"
#include "embed/text_model.h"

namespace embedforge {

class LocalModel : public TextBackend {
 public:
  /// `want`: what will be asked of it, kPooled or kScores; nullopt: the one that it gives. Errors:
  /// those of TextModel::load and of the backend that the options name; kNotSupported for a file
  /// that gives something else. `threads`: as open_native() takes them.
  static std::unique_ptr<LocalModel> load(const std::string& model, const EmbedderOptions& options,
                                          std::optional<Want> want,
                                          const SharedThreads& threads = nullptr);

  Matrix embed(const TextBatch& batch) const override;
  /// A vector a token. Errors: kNotSupported where the file gives only pooled ones.
  TokenEmbeddings embed_tokens(const TextBatch& batch) const;
  /// The logits of the query with each text, [texts, labels]; `first`: the first text's index.
  Matrix score(std::string_view query, std::span<const std::string> texts, size_t first) const;

  EmbedderInfo info() const override { return info_; }
  const TextModel& text() const { return text_; }
  const TokenBackend& backend() const { return *backend_; }

 private:
  explicit LocalModel(TextModel text) : text_(std::move(text)) {}

  TextModel text_;
  std::unique_ptr<TokenBackend> backend_;
  EmbedderInfo info_;
};

}  // namespace embedforge
