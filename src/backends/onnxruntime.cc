// The backend of an installed ONNX Runtime: sequences sorted by length, padded, with a mask.
#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "backends/backend.h"
#include "backends/ort_session.h"
#include "base/threads.h"
#include "embedforge/error.h"
#include "engine/head.h"
#include "graph/read_onnx.h"
#include "plan/raise.h"

namespace embedforge {
namespace {

/// Tokens of a run, padding included, beyond which a batch is divided.
constexpr size_t kMostTokens = 16384;

class OnnxRuntimeBackend : public TokenBackend {
 public:
  OnnxRuntimeBackend(ort::Session session, const MakeHead& head, int64_t pad, size_t max_positions,
                     int threads)
      : session_(std::move(session)), pad_(pad), max_positions_(max_positions), threads_(threads) {
    if (session_.pooled()) return;
    const std::vector<HeadStep> steps = head(session_.width());
    head_.emplace(steps, session_.width());
    pooling_ = pooling_names(steps);
  }

  bool gives(Want want) const override {
    if (want == Want::kTokens) return !session_.pooled();
    return (want == Want::kScores) == session_.scores();
  }

  Result run(const TokenBatch& batch, Want want, size_t batch_size) const override {
    const bool tokens = want == Want::kTokens;
    Matrix out{
        tokens ? batch.ids.size() : batch.sequences(), tokens ? session_.width() : width(), {}};
    out.values.resize(out.rows * out.columns);
    const auto length = [&](size_t i) { return batch.offsets[i + 1] - batch.offsets[i]; };
    std::vector<size_t> order(batch.sequences());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return length(a) > length(b); });
    while (!order.empty() && length(order.back()) == 0) order.pop_back();  // rows of zeros
    const size_t most = std::max<size_t>(batch_size, 1);
    for (size_t begin = 0; begin < order.size();) {
      const size_t columns = length(order[begin]);
      size_t rows =
          std::min({most, std::max<size_t>(kMostTokens / columns, 1), order.size() - begin});
      while (!session_.masks() && length(order[begin + rows - 1]) != columns) --rows;
      run_padded(batch, std::span(order).subspan(begin, rows), columns, tokens, out);
      begin += rows;
    }
    if (tokens) return TokenVectors{std::move(out)};
    if (want == Want::kScores) return Scores{std::move(out)};
    return PooledVectors{std::move(out)};
  }

  size_t max_positions() const override { return max_positions_; }
  EmbedderInfo info() const override {
    EmbedderInfo info;
    info.backend = "onnxruntime " + session_.library().version;
    info.providers = session_.providers();
    info.inputs = session_.inputs();
    info.outputs = session_.outputs();
    info.dimension = width();
    info.threads = threads_;
    info.pooling = pooling_;
    return info;
  }

 private:
  size_t width() const { return head_ ? head_->width() : session_.width(); }

  /// The named sequences, padded to `columns`.
  void run_padded(const TokenBatch& batch, std::span<const size_t> sequences, size_t columns,
                  bool tokens, Matrix& out) const {
    ort::PaddedBatch padded{sequences.size(), columns, {}, {}, {}};
    padded.ids.assign(sequences.size() * columns, pad_);
    padded.mask.assign(sequences.size() * columns, 0);
    if (!batch.type_ids.empty()) padded.types.assign(sequences.size() * columns, 0);
    for (size_t r = 0; r < sequences.size(); ++r) {
      const size_t begin = batch.offsets[sequences[r]];
      const size_t count = batch.offsets[sequences[r] + 1] - begin;
      const size_t at = r * columns;
      std::ranges::copy(batch.ids.subspan(begin, count),
                        padded.ids.begin() + static_cast<ptrdiff_t>(at));
      std::fill_n(padded.mask.begin() + static_cast<ptrdiff_t>(at), count, 1);
      if (batch.type_ids.empty()) continue;
      std::ranges::copy(batch.type_ids.subspan(begin, count),
                        padded.types.begin() + static_cast<ptrdiff_t>(at));
    }
    const ort::Output output = session_.run(padded);
    const size_t stride = session_.pooled() ? session_.width() : columns * session_.width();
    for (size_t r = 0; r < sequences.size(); ++r) {
      const float* rows = output.values.data() + r * stride;
      const size_t first = batch.offsets[sequences[r]];
      const size_t length = batch.offsets[sequences[r] + 1] - first;
      if (tokens) {
        std::copy_n(rows, length * out.columns, out.row(first).begin());
      } else if (head_) {
        head_->apply(rows, length, batch.skip, out.row(sequences[r]).data());
      } else {
        std::copy_n(rows, out.columns, out.row(sequences[r]).begin());
      }
    }
  }

  ort::Session session_;
  std::optional<Head> head_;  // nullopt: the graph pools by itself
  std::string pooling_ = "in the graph";
  int64_t pad_;
  size_t max_positions_;
  int threads_;
};

/// Those of the graph's position table; 0 where the native engine doesn't understand the graph.
size_t positions_of(const std::filesystem::path& onnx) {
  try {
    return raise(read_onnx(onnx)).max_positions;
  } catch (const Error&) {
    return 0;
  }
}

}  // namespace

std::unique_ptr<TokenBackend> open_onnxruntime(const std::filesystem::path& onnx,
                                               const EmbedderOptions& options, const MakeHead& head,
                                               int64_t pad) {
  const ort::Library& library = ort::load_library(options.onnxruntime.library);
  const int threads = options.threads > 0 ? options.threads : available_threads();
  ort::Session session(library, onnx, options.onnxruntime, threads, options.warn,
                       options.output_name);
  if (session.pooled() && options.pooling) {
    throw_not_supported(onnx.string() +
                        ": gives one vector a text, so that no pooling can be chosen");
  }
  return std::make_unique<OnnxRuntimeBackend>(std::move(session), head, pad, positions_of(onnx),
                                              threads);
}

}  // namespace embedforge
