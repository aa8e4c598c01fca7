// The public EmbeddingClient: any backend behind one call.
#include "embedforge/client.h"

#include <atomic>

#include "backends/backend.h"
#include "backends/providers.h"
#include "embed/text_model.h"
#include "embedforge/error.h"

namespace embedforge {
namespace {

constexpr size_t kTextsAtOnce = 4096;  // that a backend gets

const char* device_name(Device device) {
  // ONNX Runtime's names; PyTorch has no TensorRT.
  return device == Device::kCpu ? "cpu" : "cuda";
}

}  // namespace

struct EmbeddingClient::Impl {
  std::unique_ptr<Backend> backend;
  const TextModel* model = nullptr;  // of a local backend
  mutable std::atomic<uint64_t> texts = 0;

  /// Local models keep their prompts in the folder; servers are told the name.
  void set_prompt(const EmbedOptions& options, TextBatch& batch, std::string& held) const {
    if (!options.prompt.empty()) {
      batch.prompt = options.prompt;
    } else if (model == nullptr) {
      batch.prompt_name = options.prompt_name;
    } else {
      EncodeOptions encode{.prompt_name = options.prompt_name};
      if (options.prompt_name.empty() && model->config.prompts.contains(options.input_type))
        encode.prompt_name = options.input_type;
      held = model->prompt_of(encode);
      batch.prompt = held;
    }
  }
};

EmbeddingClient EmbeddingClient::open(const ClientOptions& options) {
  auto impl = std::make_unique<Impl>();
  if (options.provider == "native" || options.provider == "onnxruntime") {
    EmbedderOptions local = options.local;
    local.runtime = options.provider == "native" ? Runtime::kNative : Runtime::kOnnxRuntime;
    std::unique_ptr<LocalBackend> backend = open_local(options.model, local);
    impl->model = &backend->model();
    impl->backend = std::move(backend);
  } else if (options.provider == "torch") {
    impl->backend = open_torch(options.model, device_name(options.local.onnxruntime.device),
                               options.local.max_length);
  } else {
    impl->backend = open_remote({options.provider, options.model, options.base_url, options.api_key,
                                 options.timeout, options.retries});
  }
  return EmbeddingClient(std::move(impl));
}

EmbeddingClient::EmbeddingClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EmbeddingClient::EmbeddingClient(EmbeddingClient&&) noexcept = default;
EmbeddingClient& EmbeddingClient::operator=(EmbeddingClient&&) noexcept = default;
EmbeddingClient::~EmbeddingClient() = default;

Matrix EmbeddingClient::embed(std::span<const std::string_view> texts,
                              const EmbedOptions& options) const {
  if (options.input_type != "document" && options.input_type != "query")
    throw_usage("input_type \"" + options.input_type + "\" is unknown; known are document, query");
  const bool local = impl_->model != nullptr;
  TextBatch batch{.batch_size = local && options.batch_size == 0 ? 32 : options.batch_size,
                  .input_type = options.input_type};
  std::string prompt;
  impl_->set_prompt(options, batch, prompt);
  Matrix result;
  for (size_t begin = 0; begin < texts.size(); begin += kTextsAtOnce) {
    batch.texts = texts.subspan(begin, std::min(kTextsAtOnce, texts.size() - begin));
    batch.first = begin;
    Matrix rows = impl_->backend->embed(batch);
    cut_and_normalize(rows, options.dimensions, options.normalize);
    impl_->texts += rows.rows;
    result.columns = rows.columns;
    result.rows += rows.rows;
    result.values.insert(result.values.end(), rows.values.begin(), rows.values.end());
  }
  return result;
}

Matrix EmbeddingClient::embed(std::span<const std::string> texts,
                              const EmbedOptions& options) const {
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  return embed(std::span<const std::string_view>(views), options);
}

Usage EmbeddingClient::usage() const {
  return {impl_->backend->requests_made(), impl_->texts, impl_->backend->tokens_used()};
}

}  // namespace embedforge
