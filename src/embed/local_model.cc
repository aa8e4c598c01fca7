#include "embed/local_model.h"

#include <utility>

#include "embed/head.h"
#include "embedforge/error.h"

namespace embedforge {
namespace {

constexpr size_t kBatchSize = 32;  // where the caller names none

void refuse_other(const TokenBackend& backend, Want want, const std::string& file) {
  if (backend.gives(want)) return;
  if (want == Want::kScores) {
    throw_not_supported(file + ": is no cross-encoder: its graph doesn't end in one score a text");
  }
  throw_not_supported(file + ": is a cross-encoder, which scores pairs; use `embedforge rerank`");
}

}  // namespace

std::unique_ptr<LocalModel> LocalModel::load(const std::string& model,
                                             const EmbedderOptions& options,
                                             std::optional<Want> want,
                                             const SharedThreads& threads) {
  std::unique_ptr<LocalModel> out(new LocalModel(TextModel::load(model, options)));
  TextModel& text = out->text_;
  const auto head = [&](size_t width) { return read_head(text.config, options.pooling, width); };
  out->backend_ = options.backend == "onnxruntime"
                      ? open_onnxruntime(text.onnx, options, head, text.config.pad_token_id)
                      : open_native(text.onnx, options, head, threads);
  if (want) refuse_other(*out->backend_, *want, text.onnx.string());
  text.limit_length(out->backend_->max_positions());
  out->info_ = out->backend_->info();
  out->info_.model_path = text.onnx.string();
  out->info_.max_length = text.max_length;
  out->info_.prompts = text.config.prompts;
  out->info_.default_prompt_name = text.config.default_prompt_name;
  out->info_.similarity = text.config.similarity;
  out->info_.normalizes = text.config.normalize;
  return out;
}

Matrix LocalModel::embed(const TextBatch& batch) const {
  const TokenizedTexts tokens = text_.tokenize(batch);
  count(1, tokens.ids.size());
  const size_t batch_size = batch.batch_size == 0 ? kBatchSize : batch.batch_size;
  return std::get<PooledVectors>(backend_->run(tokens.batch(), Want::kPooled, batch_size)).rows;
}

TokenEmbeddings LocalModel::embed_tokens(const TextBatch& batch) const {
  if (!backend_->gives(Want::kTokens))
    throw_not_supported(text_.onnx.string() + ": gives no vectors of tokens, only pooled ones");
  TokenizedTexts tokens = text_.tokenize(batch);
  count(1, tokens.ids.size());
  const size_t batch_size = batch.batch_size == 0 ? kBatchSize : batch.batch_size;
  Result result = backend_->run(tokens.batch(), Want::kTokens, batch_size);
  return {std::move(std::get<TokenVectors>(result).rows), std::move(tokens.offsets)};
}

Matrix LocalModel::score(std::string_view query, std::span<const std::string> texts,
                         size_t first) const {
  const TokenizedTexts tokens = text_.tokenize_pairs(query, texts, first);
  count(1, tokens.ids.size());
  return std::get<Scores>(backend_->run(tokens.batch(), Want::kScores, kBatchSize)).rows;
}

}  // namespace embedforge
