// The public Embedder: a local backend with prompts, cut, normalization and bounded memory.
#include "embedforge/embedder.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "backends/backend.h"
#include "embed/text.h"
#include "embed/text_model.h"

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

}  // namespace

struct Embedder::Impl {
  std::unique_ptr<LocalBackend> backend;
  EmbedderInfo info;  // never changes once loaded

  const TextModel& model() const { return backend->model(); }

  /// The first of these prompts that the model has, unless the options name one.
  void choose_prompt(EncodeOptions& options, std::span<const char* const> names) const {
    if (!options.prompt.empty() || !options.prompt_name.empty()) return;
    for (const char* name : names) {
      if (!info.prompts.contains(name)) continue;
      options.prompt_name = name;
      return;
    }
  }
};

Embedder Embedder::load(const std::string& model, const EmbedderOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->backend = open_local(model, options);
  impl->info = impl->backend->info();
  impl->info.model_path = impl->model().onnx.string();
  impl->info.max_length = impl->model().max_length;
  impl->info.prompts = impl->model().config.prompts;
  return Embedder(std::move(impl));
}

Embedder::Embedder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Embedder::Embedder(Embedder&&) noexcept = default;
Embedder& Embedder::operator=(Embedder&&) noexcept = default;
Embedder::~Embedder() = default;

Matrix Embedder::encode(std::span<const std::string_view> texts,
                        const EncodeOptions& options) const {
  const size_t width = dimension();
  Matrix result{0, options.dimensions == 0 ? width : options.dimensions, {}};
  if (options.dimensions > width) {
    Matrix whole{0, width, {}};
    cut_and_normalize(whole, options.dimensions, false);  // says what is wrong
  }
  const std::string prompt = impl_->model().prompt_of(options);
  const size_t window = std::max<size_t>(options.batch_size, kWindow);
  result.values.reserve(texts.size() * result.columns);
  for (size_t begin = 0; begin < texts.size(); begin += window) {
    const size_t count = std::min(window, texts.size() - begin);
    Matrix rows = impl_->backend->embed({.texts = texts.subspan(begin, count),
                                         .prompt = prompt,
                                         .batch_size = options.batch_size,
                                         .first = begin});
    if (result.columns < width && impl_->model().config.architecture == "nomic_bert") {
      for (size_t r = 0; r < rows.rows; ++r) center_and_scale(rows.row(r));
    }
    cut_and_normalize(rows, options.dimensions, options.normalize);
    if (result.values.empty() && count == texts.size()) return rows;
    result.values.insert(result.values.end(), rows.values.begin(), rows.values.end());
    result.rows += count;
  }
  return result;
}

Matrix Embedder::encode(std::span<const std::string> texts, const EncodeOptions& options) const {
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  return encode(std::span<const std::string_view>(views), options);
}

Matrix Embedder::encode_query(std::span<const std::string> texts, EncodeOptions options) const {
  constexpr const char* kNames[] = {"query"};
  impl_->choose_prompt(options, kNames);
  return encode(texts, options);
}

Matrix Embedder::encode_document(std::span<const std::string> texts, EncodeOptions options) const {
  constexpr const char* kNames[] = {"document", "passage", "corpus"};
  impl_->choose_prompt(options, kNames);
  return encode(texts, options);
}

TokenizedText Embedder::tokenize(std::string_view text) const {
  const TextModel& model = impl_->model();
  std::string changed;
  Encoding encoding =
      model.tokenizer.encode(model.prepared(text, "", changed), {.max_length = model.max_length});
  // Offsets are of the text as given: white space that was taken off its start counts.
  const size_t removed = static_cast<size_t>(strip(text).data() - text.data());
  const auto shift = static_cast<uint32_t>(
      std::count_if(text.begin(), text.begin() + static_cast<ptrdiff_t>(removed),
                    [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
  for (size_t i = 0; i < encoding.offsets.size(); ++i) {
    if (encoding.special[i] != 0) continue;
    encoding.offsets[i].first += shift;
    encoding.offsets[i].second += shift;
  }
  return {std::move(encoding.ids), std::move(encoding.tokens), std::move(encoding.offsets)};
}

size_t Embedder::count_tokens(std::string_view text) const {
  std::string changed;
  return impl_->model().tokenizer.count_tokens(impl_->model().prepared(text, "", changed));
}

uint64_t Embedder::tokens_used() const { return impl_->backend->tokens_used(); }
EmbedderInfo Embedder::info() const { return impl_->info; }
size_t Embedder::dimension() const { return impl_->info.dimension; }
size_t Embedder::max_length() const { return impl_->info.max_length; }
int Embedder::threads() const { return impl_->info.threads; }
std::string Embedder::model_path() const { return impl_->info.model_path; }

}  // namespace embedforge
