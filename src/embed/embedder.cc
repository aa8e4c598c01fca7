// The public Embedder: prompts, windows of bounded memory, cut and normalization, whoever makes the
// vectors.
#include "embedforge/embedder.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <iterator>
#include <mutex>

#include "embed/local_model.h"
#include "embed/options.h"
#include "embedforge/error.h"

namespace embedforge {
namespace {

/// Texts that are tokenized and sorted together at most; bounds the memory of a call, whatever the
/// length of its list.
constexpr size_t kWindow = 4096;

/// (row - mean) / deviation, which nomic's models want before a row is cut to fewer dimensions
/// (their pages; Matryoshka).
void center_and_scale(std::span<float> row) {
  const auto n = static_cast<double>(row.size());
  double mean = 0;
  for (const float v : row) mean += v;
  mean /= n;
  double variance = 0;
  for (const float v : row) variance += (v - mean) * (v - mean);
  const double scale = 1 / std::sqrt(variance / n + 1e-5);
  for (float& v : row) v = static_cast<float>((v - mean) * scale);
}

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

  /// What the model's files cut vectors to; 0: not at all.
  size_t own_dimensions() const {
    const auto own = local == nullptr ? 0 : static_cast<size_t>(local->text().config.truncate_dim);
    return own < info.dimension ? own : 0;
  }

  /// nomic-embed-text, whose page centers vectors before they are cut; other models of its
  /// architecture have prompts or another pooling of their own.
  bool is_nomic() const {
    if (local == nullptr) return false;
    const ModelConfig& config = local->text().config;
    return config.architecture == "nomic_bert" && !config.own_prompts &&
           config.pooling == std::vector{Pooling::kMean};
  }

  const TextModel& text() const {
    if (local == nullptr)
      throw_not_supported("backend " + info.backend + " keeps its tokenizer to itself");
    return local->text();
  }

  /// What is put before each text: the named prompt, else the one that goes with the input type;
  /// where there is no type, the model's default.
  std::string prompt_of(const EncodeOptions& options, InputType type) const {
    if (options.prompt) return *options.prompt;
    std::string name = options.prompt_name;
    const std::vector<const char*> names = type == InputType::kQuery ? std::vector{"query"}
                                           : type == InputType::kDocument
                                               ? std::vector{"document", "passage", "corpus"}
                                               : std::vector<const char*>{};
    for (const char* each : names) {
      if (name.empty() && info.prompts.contains(each)) name = each;
    }
    if (name.empty() && type == InputType::kNone) name = info.default_prompt_name;
    if (name.empty()) return "";
    const auto found = info.prompts.find(name);
    if (found != info.prompts.end()) return found->second;
    std::string known;
    for (const auto& [key, text] : info.prompts) known += (known.empty() ? "" : ", ") + key;
    throw_usage("prompt_name '" + name + "' isn't among the model's prompts (" +
                (known.empty() ? "it has none" : known) + ")");
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
  if (width > 0 && options.dimensions > width) {
    Matrix whole{0, width, {}};
    cut_and_normalize(whole, options.dimensions, false);  // says what is wrong
  }
  const size_t dimensions = options.dimensions == 0 ? impl_->own_dimensions() : options.dimensions;
  Matrix result{0, dimensions == 0 ? width : dimensions, {}};
  std::string prompt;
  TextBatch batch{.batch_size = options.batch_size,
                  .input_type = type == InputType::kQuery ? "query" : "document"};
  if (impl_->keeps_prompts) {
    batch.prompt_name = options.prompt_name;
    prompt = options.prompt.value_or("");
  } else {
    prompt = impl_->prompt_of(options, type);
  }
  batch.prompt = prompt;
  const bool centered = options.dimensions > 0 && result.columns < width && impl_->is_nomic();
  const size_t window = std::max(options.batch_size, kWindow);
  result.values.reserve(texts.size() * result.columns);
  for (batch.first = 0; batch.first < texts.size(); batch.first += window) {
    batch.texts = texts.subspan(batch.first, std::min(window, texts.size() - batch.first));
    Matrix rows = impl_->backend->embed(batch);
    impl_->texts += rows.rows;
    for (size_t r = 0; centered && r < rows.rows; ++r) center_and_scale(rows.row(r));
    cut_and_normalize(rows, dimensions, options.normalize);
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
  if (impl_->own_dimensions() > 0) return impl_->own_dimensions();
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
