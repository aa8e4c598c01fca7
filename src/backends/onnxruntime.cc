// The backend of an installed ONNX Runtime: texts sorted by length, padded, with a mask.
#include <algorithm>
#include <atomic>
#include <numeric>
#include <optional>
#include <utility>

#include "backends/backend.h"
#include "backends/head.h"
#include "backends/ort_session.h"
#include "backends/text_model.h"
#include "base/threads.h"
#include "embedforge/error.h"
#include "engine/head.h"

namespace embedforge {
namespace {

/// Tokens of a run, padding included, beyond which a batch is divided.
constexpr size_t kMostTokens = 16384;

class OnnxRuntimeBackend : public LocalBackend {
 public:
  OnnxRuntimeBackend(TextModel model, ort::Session session, std::optional<Head> head,
                     std::string pooling, int threads)
      : model_(std::move(model)),
        session_(std::move(session)),
        head_(std::move(head)),
        pooling_(std::move(pooling)),
        threads_(threads) {}

  Matrix embed(const TextBatch& batch) const override {
    const TokenRows tokens = model_.tokenize(batch);
    tokens_ += tokens.ids.size();
    Matrix out{batch.texts.size(), width(), {}};
    out.values.resize(out.rows * out.columns);
    const auto length = [&](size_t i) { return tokens.offsets[i + 1] - tokens.offsets[i]; };
    std::vector<size_t> order(batch.texts.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return length(a) > length(b); });
    while (!order.empty() && length(order.back()) == 0) order.pop_back();  // rows of zeros
    const size_t most = std::max<size_t>(batch.batch_size, 1);
    for (size_t begin = 0; begin < order.size();) {
      const size_t columns = length(order[begin]);
      const size_t rows =
          std::min({most, std::max<size_t>(kMostTokens / columns, 1), order.size() - begin});
      run(tokens, std::span(order).subspan(begin, rows), columns, out);
      begin += rows;
    }
    return out;
  }

  const TextModel& model() const override { return model_; }
  EmbedderInfo info() const override {
    EmbedderInfo info;
    info.runtime = "onnxruntime " + session_.library().version;
    info.providers = session_.providers();
    info.inputs = session_.inputs();
    info.outputs = session_.outputs();
    info.dimension = width();
    info.threads = threads_;
    info.pooling = pooling_;
    return info;
  }
  uint64_t tokens_used() const override { return tokens_; }
  uint64_t requests_made() const override { return requests_; }

 private:
  size_t width() const { return head_ ? head_->width() : session_.width(); }

  void run(const TokenRows& tokens, std::span<const size_t> texts, size_t columns,
           Matrix& out) const {
    ort::PaddedBatch batch{texts.size(), columns, {}, {}};
    batch.ids.assign(texts.size() * columns, model_.config.pad_token_id);
    batch.mask.assign(texts.size() * columns, 0);
    for (size_t r = 0; r < texts.size(); ++r) {
      const size_t begin = tokens.offsets[texts[r]];
      const size_t count = tokens.offsets[texts[r] + 1] - begin;
      std::copy_n(tokens.ids.begin() + static_cast<ptrdiff_t>(begin), count,
                  batch.ids.begin() + static_cast<ptrdiff_t>(r * columns));
      std::fill_n(batch.mask.begin() + static_cast<ptrdiff_t>(r * columns), count, 1);
    }
    const ort::Output output = session_.run(batch);
    ++requests_;
    const size_t stride = head_ ? columns * session_.width() : session_.width();
    for (size_t r = 0; r < texts.size(); ++r) {
      const float* rows = output.values.data() + r * stride;
      const std::span<float> target = out.row(texts[r]);
      if (head_) {
        head_->apply(rows, tokens.offsets[texts[r] + 1] - tokens.offsets[texts[r]], tokens.skip,
                     target.data());
      } else {
        std::copy_n(rows, target.size(), target.begin());
      }
    }
  }

  TextModel model_;
  ort::Session session_;
  std::optional<Head> head_;  // nullopt: the graph pools by itself
  std::string pooling_;       // its name
  int threads_;
  mutable std::atomic<uint64_t> tokens_ = 0;
  mutable std::atomic<uint64_t> requests_ = 0;
};

}  // namespace

std::unique_ptr<LocalBackend> open_onnxruntime(const std::string& name,
                                               const EmbedderOptions& options) {
  if (options.compute != Compute::kAuto) {
    throw_not_supported(
        "ONNX Runtime computes in the file's own precision; choose another file, or the native "
        "backend");
  }
  TextModel model = TextModel::load(name, options);
  const ort::Library& library = ort::load_library(options.onnxruntime.library);
  const int threads = options.threads > 0 ? options.threads : available_threads();
  ort::Session session(library, model.onnx, options.onnxruntime, threads, options.warn);
  std::optional<Head> head;
  std::string pooling = "in the graph";
  if (!session.pooled()) {
    const auto steps = read_head(model.config, options.pooling, session.width());
    pooling = pooling_names(steps);
    head.emplace(steps, session.width());
  } else if (options.pooling) {
    throw_not_supported(model.onnx.string() +
                        ": gives one vector a text, so that no pooling can be chosen");
  }
  return std::make_unique<OnnxRuntimeBackend>(std::move(model), std::move(session), std::move(head),
                                              std::move(pooling), threads);
}

}  // namespace embedforge
