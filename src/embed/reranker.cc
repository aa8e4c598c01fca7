// A cross-encoder: pairs as one sequence each, and what its graph says of them.
#include "embedforge/reranker.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "embed/local_model.h"
#include "embed/options.h"
#include "embedforge/error.h"

namespace embedforge {

struct Reranker::Impl {
  std::unique_ptr<LocalModel> model;
};

Reranker Reranker::load(const std::string& model, const EmbedderOptions& options) {
  check_options(options);
  if (!is_local_backend(options.backend)) {
    throw_not_supported("backend " + options.backend +
                        " scores no pairs; use native or onnxruntime");
  }
  if (options.pooling) throw_usage("pooling has no meaning for a cross-encoder");
  auto impl = std::make_unique<Impl>(Impl{LocalModel::load(model, options, Want::kScores)});
  if (const size_t labels = impl->model->info().dimension; labels != 1) {
    throw_not_supported(impl->model->info().model_path + ": gives " + std::to_string(labels) +
                        " logits a text; a reranker needs one");
  }
  const std::string& prompt = impl->model->text().config.default_prompt_name;
  if (!prompt.empty()) {
    throw_not_supported("config_sentence_transformers.json: default_prompt_name is \"" + prompt +
                        "\"; prompts of a cross-encoder are not supported");
  }
  return Reranker(std::move(impl));
}

Reranker::Reranker(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Reranker::Reranker(Reranker&&) noexcept = default;
Reranker& Reranker::operator=(Reranker&&) noexcept = default;
Reranker::~Reranker() = default;

std::vector<float> Reranker::score(std::string_view query, std::span<const std::string> texts,
                                   bool raw) const {
  constexpr size_t kWindow = 256;  // pairs that are held as tokens at once
  std::vector<float> scores;
  for (size_t begin = 0; begin < texts.size(); begin += kWindow) {
    const size_t count = std::min(kWindow, texts.size() - begin);
    const Matrix logits = impl_->model->score(query, texts.subspan(begin, count), begin);
    scores.insert(scores.end(), logits.values.begin(), logits.values.end());
  }
  if (!raw && impl_->model->text().config.sigmoid) {
    for (float& score : scores) score = 1 / (1 + std::exp(-score));
  }
  return scores;
}

}  // namespace embedforge
