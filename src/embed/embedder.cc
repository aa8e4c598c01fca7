// The public Embedder: prompts, windows of bounded memory, cut and normalization, whoever makes the
// vectors.
#include "embedforge/embedder.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <mutex>

#include "embed/encode_plan.h"
#include "embed/local_model.h"
#include "embed/options.h"
#include "embedforge/error.h"

namespace embedforge {
namespace {

/// Texts that are tokenized and sorted together at most; bounds the memory of a call, whatever the
/// length of its list.
constexpr size_t kWindow = 4096;

std::unique_ptr<TextBackend> open(const std::string& model, const EmbedderOptions& options) {
  const OnnxRuntimeOptions& gpu = options.onnxruntime;
  if (options.backend == "native" && (gpu.device_id != 0 || gpu.gpu_mem_limit != 0)) {
    throw_not_supported(
        "device_id and gpu_mem_limit are for GPUs, which backend=\"onnxruntime\" uses");
  }
  if (options.backend == "onnxruntime" && options.compute != Compute::kAuto) {
    throw_not_supported(
        "ONNX Runtime computes in the file's own precision; choose another file, or the native "
        "backend");
  }
  check_options(options);
  if (is_local_backend(options.backend)) return LocalModel::load(model, options, Want::kPooled);
  return options.backend == "torch" ? open_torch(model, options) : open_remote(model, options);
}

}  // namespace

struct Embedder::Impl {
  std::unique_ptr<TextBackend> backend;
  const LocalModel* local = nullptr;  // the same, where the model is on this machine
  bool keeps_prompts = false;         // a server's names of prompts are its own
  EmbedderInfo info;                  // never changes once loaded
  mutable std::atomic<uint64_t> texts = 0;
  mutable std::once_flag asked;
  mutable size_t dimension = 0;

  const ModelConfig* config() const { return local == nullptr ? nullptr : &local->text().config; }

  const TextModel& text() const {
    if (local == nullptr)
      throw_not_supported("backend " + info.backend + " keeps its tokenizer to itself");
    return local->text();
  }
};

Embedder Embedder::load(const std::string& model, const EmbedderOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->backend = open(model, options);
  impl->local = dynamic_cast<const LocalModel*>(impl->backend.get());
  impl->keeps_prompts = !is_local_backend(options.backend) && options.backend != "torch";
  impl->info = impl->backend->info();
  return Embedder(std::move(impl));
}

Embedder::Embedder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Embedder::Embedder(Embedder&&) noexcept = default;
Embedder& Embedder::operator=(Embedder&&) noexcept = default;
Embedder::~Embedder() = default;

Matrix Embedder::encode(std::span<const std::string_view> texts, const EncodeOptions& options,
                        InputType type) const {
  const size_t width = impl_->info.dimension;  // 0: not known yet
  const Finish finish = finish_of(impl_->config(), width, options);
  Matrix result{0, finish.dimensions == 0 ? width : finish.dimensions, {}};
  std::string prompt;
  TextBatch batch{.batch_size = options.batch_size,
                  .input_type = type == InputType::kQuery ? "query" : "document"};
  if (impl_->keeps_prompts) {
    batch.prompt_name = options.prompt_name;
    prompt = options.prompt.value_or("");
  } else {
    prompt = prompt_of(impl_->info, options, type);
  }
  batch.prompt = prompt;
  const size_t window = std::max(options.batch_size, kWindow);
  result.values.reserve(texts.size() * result.columns);
  for (batch.first = 0; batch.first < texts.size(); batch.first += window) {
    batch.texts = texts.subspan(batch.first, std::min(window, texts.size() - batch.first));
    Matrix rows = impl_->backend->embed(batch);
    impl_->texts += rows.rows;
    finish.apply(rows);
    if (batch.texts.size() == texts.size()) return rows;
    result.columns = rows.columns;
    result.values.insert(result.values.end(), rows.values.begin(), rows.values.end());
    result.rows += rows.rows;
  }
  return result;
}

Matrix Embedder::encode(std::span<const std::string> texts, const EncodeOptions& options,
                        InputType type) const {
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  return encode(std::span<const std::string_view>(views), options, type);
}

Matrix Embedder::encode_query(std::span<const std::string> texts,
                              const EncodeOptions& options) const {
  return encode(texts, options, InputType::kQuery);
}

Matrix Embedder::encode_document(std::span<const std::string> texts,
                                 const EncodeOptions& options) const {
  return encode(texts, options, InputType::kDocument);
}

TokenEmbeddings Embedder::encode_tokens(std::span<const std::string_view> texts,
                                        const EncodeOptions& options, InputType type) const {
  if (impl_->local == nullptr)
    throw_not_supported("backend " + impl_->info.backend + " gives no vectors of tokens");
  const std::string prompt = prompt_of(impl_->info, options, type);
  TokenEmbeddings out = impl_->local->embed_tokens(
      {.texts = texts, .prompt = prompt, .batch_size = options.batch_size});
  impl_->texts += texts.size();
  return out;
}

TokenizedText Embedder::tokenize(std::string_view text) const {
  const TextModel& model = impl_->text();
  Encoding encoding = model.tokenizer.encode(text, {.max_length = model.max_length});
  return {std::move(encoding.ids), std::move(encoding.tokens), std::move(encoding.offsets)};
}

TokenizedText Embedder::tokenize_whole(std::string_view text) const {
  Encoding encoding = impl_->text().tokenizer.encode(text, {.add_special_tokens = false});
  return {std::move(encoding.ids), std::move(encoding.tokens), std::move(encoding.offsets)};
}

size_t Embedder::count_tokens(std::string_view text) const {
  return impl_->text().tokenizer.count_tokens(text);
}

size_t Embedder::dimension() const {
  if (const ModelConfig* config = impl_->config()) {
    const size_t own = own_dimensions(*config, impl_->info.dimension);
    if (own > 0) return own;
  }
  if (impl_->info.dimension > 0) return impl_->info.dimension;
  std::call_once(impl_->asked, [this] {
    const std::string_view text = "dimension";
    impl_->dimension = encode(std::span(&text, 1)).columns;
  });
  return impl_->dimension;
}

Usage Embedder::usage() const {
  return {impl_->backend->requests_made(), impl_->texts, impl_->backend->tokens_used()};
}

EmbedderInfo Embedder::info() const { return impl_->info; }
size_t Embedder::max_length() const { return impl_->info.max_length; }
int Embedder::threads() const { return impl_->info.threads; }
std::string Embedder::model_path() const { return impl_->info.model_path; }

}  // namespace embedforge
