// A cross-encoder: pairs through the engine, then the graph's own head.
#include "embedforge/reranker.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "backends/find_onnx.h"
#include "config/model_config.h"
#include "embedforge/error.h"
#include "engine/engine.h"
#include "graph/read_onnx.h"
#include "hub/hub.h"
#include "plan/raise.h"
#include "tokenize/tokenizer.h"

namespace embedforge {

struct Reranker::Impl {
  Tokenizer tokenizer;
  Engine engine;
  size_t max_length;
};

Reranker Reranker::load(const std::string& model, const EmbedderOptions& options) {
  const ResolvedModel resolved = resolve_model(model);
  const std::filesystem::path onnx = find_onnx(resolved, options.file);
  const ModelConfig config = read_model_config(resolved.folder);
  Tokenizer tokenizer = Tokenizer::load(
      options.tokenizer.empty() ? config.transformer : std::filesystem::path(options.tokenizer));
  const Program program = raise(read_onnx(onnx));
  Engine engine(program, {.compute = options.compute, .threads = options.threads, .model = onnx});
  if (!program.pools_itself || program.head.size() < 2 || engine.width() != 1) {
    throw_not_supported(onnx.string() +
                        ": is no cross-encoder: its graph doesn't end in one score a text");
  }
  auto limit = static_cast<size_t>(std::max<int64_t>(0, config.max_length));
  if (options.max_length > 0) limit = static_cast<size_t>(options.max_length);
  if (program.max_positions > 0) {
    limit = limit == 0 ? program.max_positions : std::min(limit, program.max_positions);
  }
  return Reranker(std::make_unique<Impl>(Impl{std::move(tokenizer), std::move(engine), limit}));
}

Reranker::Reranker(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Reranker::Reranker(Reranker&&) noexcept = default;
Reranker& Reranker::operator=(Reranker&&) noexcept = default;
Reranker::~Reranker() = default;

std::vector<float> Reranker::score(std::string_view query, std::span<const std::string> texts,
                                   bool raw) const {
  constexpr size_t kWindow = 256;  // pairs that are held as tokens at once
  std::vector<float> scores(texts.size());
  for (size_t begin = 0; begin < texts.size(); begin += kWindow) {
    const size_t count = std::min(kWindow, texts.size() - begin);
    std::vector<int32_t> ids;
    std::vector<int32_t> types;
    std::vector<size_t> offsets = {0};
    for (size_t i = begin; i < begin + count; ++i) {
      try {
        const Encoding pair =
            impl_->tokenizer.encode_pair(query, texts[i], {.max_length = impl_->max_length});
        ids.insert(ids.end(), pair.ids.begin(), pair.ids.end());
        types.insert(types.end(), pair.type_ids.begin(), pair.type_ids.end());
      } catch (const Error& e) {
        throw Error(e.code(), "text " + std::to_string(i) + ": " + e.what());
      }
      offsets.push_back(ids.size());
    }
    impl_->engine.pooled({ids, types, offsets}, scores.data() + begin);
  }
  if (!raw) {
    for (float& score : scores) score = 1 / (1 + std::exp(-score));
  }
  return scores;
}

}  // namespace embedforge
