// A query and texts in, how well each text answers the query out (a cross-encoder). Thread-safe
// once loaded.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "embedforge/embedder.h"

namespace embedforge {

class Reranker {
 public:
  /// `model`: as Embedder::load(), an ONNX file whose output is logits [batch, 1] (`embedforge
  /// convert` makes it of ...ForSequenceClassification). Errors: kBadInput, kNotSupported for a
  /// file that has no such head.
  static Reranker load(const std::string& model, const EmbedderOptions& options = {});

  Reranker(Reranker&&) noexcept;
  Reranker& operator=(Reranker&&) noexcept;
  ~Reranker();

  /// One score a text, in the order of the texts: 1 / (1 + e^-logit), or the logit when `raw`
  /// or when the model's files name torch.nn.Identity.
  /// Errors: kBadInput for invalid UTF-8 (the text's index).
  std::vector<float> score(std::string_view query, std::span<const std::string> texts,
                           bool raw = false) const;

 private:
  struct Impl;
  explicit Reranker(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace embedforge
