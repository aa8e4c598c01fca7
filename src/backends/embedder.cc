// The native Embedder: tokenizer, engine and the model folder's settings put together.
#include "embedforge/embedder.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "backends/find_onnx.h"
#include "backends/pooled_layers.h"
#include "backends/text.h"
#include "base/threads.h"
#include "config/model_config.h"
#include "embedforge/error.h"
#include "engine/engine.h"
#include "graph/read_onnx.h"
#include "hub/hub.h"
#include "plan/raise.h"
#include "tokenize/tokenizer.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;

/// Texts that are tokenized and sorted together at most; bounds the memory of a call, whatever the
/// length of its list.
constexpr size_t kWindow = 4096;

PoolKind pool_kind(const ModelConfig& config, const std::optional<Pooling>& wanted) {
  if (wanted) {
    switch (*wanted) {
      case Pooling::kMean:
        return PoolKind::kMean;
      case Pooling::kCls:
        return PoolKind::kCls;
      case Pooling::kMax:
        return PoolKind::kMax;
      case Pooling::kLast:
        return PoolKind::kLast;
    }
  }
  if (config.pooling.size() != 1)
    throw_not_supported(
        "1_Pooling/config.json asks for several pooling modes at once; choose one with --pooling");
  switch (config.pooling.front()) {
    case PoolingMode::kMean:
      return PoolKind::kMean;
    case PoolingMode::kCls:
      return PoolKind::kCls;
    case PoolingMode::kMax:
      return PoolKind::kMax;
    case PoolingMode::kLast:
      return PoolKind::kLast;
    case PoolingMode::kMeanSqrtLength:
      return PoolKind::kMeanSqrtLength;
    case PoolingMode::kWeightedMean:
      break;
  }
  throw_not_supported(
      "1_Pooling/config.json: pooling_mode_weightedmean_tokens isn't supported yet; choose another "
      "with --pooling");
}

/// (row - mean) / deviation, which nomic's models want before a row is cut to fewer dimensions
/// (their pages; Matryoshka).
void center_and_scale(float* row, size_t n) {
  double mean = 0;
  for (size_t i = 0; i < n; ++i) mean += row[i];
  mean /= static_cast<double>(n);
  double variance = 0;
  for (size_t i = 0; i < n; ++i) variance += (row[i] - mean) * (row[i] - mean);
  const double scale = 1 / std::sqrt(variance / static_cast<double>(n) + 1e-5);
  for (size_t i = 0; i < n; ++i) row[i] = static_cast<float>((row[i] - mean) * scale);
}

void scale_to_unit_length(float* row, size_t n) {
  double squares = 0;
  for (size_t i = 0; i < n; ++i) squares += static_cast<double>(row[i]) * row[i];
  const double norm = std::sqrt(squares);
  if (norm < 1e-12) return;
  for (size_t i = 0; i < n; ++i) row[i] = static_cast<float>(row[i] / norm);
}

}  // namespace

struct Embedder::Impl {
  fs::path onnx;
  ModelConfig config;
  Tokenizer tokenizer;
  Engine engine;
  PoolKind pooling;
  size_t max_length;
  PooledLayers dense;

  std::string prompt_of(const EncodeOptions& options) const {
    if (!options.prompt.empty()) return options.prompt;
    const std::string& name =
        options.prompt_name.empty() ? config.default_prompt_name : options.prompt_name;
    if (name.empty()) return "";
    const auto found = config.prompts.find(name);
    if (found == config.prompts.end()) {
      std::string names;
      for (const auto& [key, text] : config.prompts) names += (names.empty() ? "" : ", ") + key;
      throw_usage("prompt_name '" + name + "' isn't among the model's prompts (" +
                  (names.empty() ? "it has none" : names) + ")");
    }
    return found->second;
  }

  /// Tokens of texts [begin, begin + count) as one ragged batch.
  void tokenize(std::span<const std::string_view> texts, size_t begin, size_t count,
                const std::string& prompt, std::vector<int32_t>& ids,
                std::vector<size_t>& offsets) const {
    ids.clear();
    offsets.assign(1, 0);
    std::string changed;
    for (size_t i = begin; i < begin + count; ++i) {
      std::string_view text = texts[i];
      if (!prompt.empty()) {
        changed = prompt;
        changed += text;
        text = changed;
      }
      text = strip(text);
      if (config.lower_case) {
        changed = lower(text);
        text = changed;
      }
      try {
        tokenizer.append_ids(text, {.max_length = max_length}, ids);
      } catch (const Error& e) {
        throw Error(e.code(), "text " + std::to_string(i) + ": " + e.what());
      }
      offsets.push_back(ids.size());
    }
  }
};

Embedder Embedder::load(const std::string& model, const EmbedderOptions& options) {
  const ResolvedModel resolved = resolve_model(model);
  const fs::path onnx = find_onnx(resolved, options.file);
  // An .onnx file by itself brings no settings: they are the tokenizer folder's then.
  const bool beside_tokenizer = !resolved.file.empty() && !options.tokenizer.empty();
  ModelConfig config =
      read_model_config(beside_tokenizer ? fs::path(options.tokenizer) : resolved.folder);
  Tokenizer tokenizer =
      Tokenizer::load(options.tokenizer.empty() ? config.transformer : fs::path(options.tokenizer));
  const Program program = raise(read_onnx(onnx));
  const PoolKind pooling = pool_kind(config, options.pooling);
  size_t limit = static_cast<size_t>(std::max<int64_t>(0, config.max_length));
  if (options.max_length > 0) limit = static_cast<size_t>(options.max_length);
  if (program.max_positions > 0) {
    const auto most = static_cast<size_t>(program.max_positions);
    limit = limit == 0 ? most : std::min(limit, most);
  }
  if (!program.head.empty()) {
    throw_not_supported(onnx.string() +
                        ": is a cross-encoder, which scores pairs; use `embedforge rerank`");
  }
  Engine engine(program,
                {.precision = options.precision, .threads = options.threads, .model = onnx});
  PooledLayers dense(config.dense, engine.hidden_size());
  return Embedder(
      std::make_unique<Impl>(Impl{onnx, std::move(config), std::move(tokenizer), std::move(engine),
                                  pooling, limit, std::move(dense)}));
}

Embedder::Embedder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Embedder::Embedder(Embedder&&) noexcept = default;
Embedder& Embedder::operator=(Embedder&&) noexcept = default;
Embedder::~Embedder() = default;

Matrix Embedder::encode(std::span<const std::string_view> texts,
                        const EncodeOptions& options) const {
  const size_t width = dimension();
  const size_t columns = options.dimensions == 0 ? width : options.dimensions;
  if (columns > width) {
    throw_usage("dimensions=" + std::to_string(columns) + " is more than the model's " +
                std::to_string(width));
  }
  const std::string prompt = impl_->prompt_of(options);
  if (!prompt.empty() && !impl_->config.include_prompt) {
    throw_not_supported(
        "1_Pooling/config.json: include_prompt false (pooling without the prompt's tokens) isn't "
        "supported yet");
  }
  const size_t window = std::max<size_t>(options.batch_size, kWindow);
  Matrix result{texts.size(), columns, std::vector<float>(texts.size() * columns)};
  std::vector<int32_t> ids;
  std::vector<size_t> offsets;
  std::vector<float> rows;
  for (size_t begin = 0; begin < texts.size(); begin += window) {
    const size_t count = std::min(window, texts.size() - begin);
    impl_->tokenize(texts, begin, count, prompt, ids, offsets);
    const size_t hidden = impl_->engine.hidden_size();
    rows.resize(count * hidden);
    impl_->engine.embed({ids, {}, offsets}, impl_->pooling, rows.data());
    if (!impl_->dense.empty()) rows = impl_->dense.apply(rows, count, hidden);
    for (size_t i = 0; i < count; ++i) {
      float* out = result.values.data() + (begin + i) * columns;
      if (columns < width && impl_->config.architecture == "nomic_bert")
        center_and_scale(rows.data() + i * width, width);
      std::copy_n(rows.data() + i * width, columns, out);
      if (options.normalize) scale_to_unit_length(out, columns);
    }
  }
  return result;
}

Matrix Embedder::encode(std::span<const std::string> texts, const EncodeOptions& options) const {
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  return encode(std::span<const std::string_view>(views), options);
}

size_t Embedder::dimension() const { return impl_->dense.width(impl_->engine.hidden_size()); }
size_t Embedder::max_length() const { return impl_->max_length; }
int Embedder::threads() const { return impl_->engine.threads(); }
std::string Embedder::model_path() const { return impl_->onnx.string(); }

}  // namespace embedforge
