// The backend of embedforge's own engine.
#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

#include "backends/backend.h"
#include "embed/head.h"
#include "embed/text_model.h"
#include "embedforge/error.h"
#include "engine/engine.h"
#include "graph/read_onnx.h"
#include "plan/raise.h"

namespace embedforge {
namespace {

constexpr std::array<std::pair<PoolingMode, PoolKind>, 5> kPoolings = {
    {{PoolingMode::kMean, PoolKind::kMean},
     {PoolingMode::kCls, PoolKind::kCls},
     {PoolingMode::kMax, PoolKind::kMax},
     {PoolingMode::kLast, PoolKind::kLast},
     {PoolingMode::kMeanSqrtLength, PoolKind::kMeanSqrtLength}}};

/// The engine's own pooling, for heads that are no more than that.
std::optional<PoolKind> engine_pooling(const Head& head) {
  const std::optional<PoolingMode> mode = head.only_pooling();
  for (const auto& [known, kind] : kPoolings) {
    if (mode == known) return kind;
  }
  return std::nullopt;
}

/// Where the graph gives pooled vectors alone, these count, whatever the folder says.
ModelConfig with_graphs_pooling(ModelConfig config, const Program& program) {
  if (!program.only_pooled) return config;
  for (const auto& [mode, kind] : kPoolings) {
    if (kind == program.head_pooling) config.pooling = {mode};
  }
  config.head.clear();
  return config;
}

class NativeBackend : public LocalBackend {
 public:
  NativeBackend(TextModel model, Engine engine, Head head, EmbedderInfo info)
      : model_(std::move(model)),
        engine_(std::move(engine)),
        head_(std::move(head)),
        info_(std::move(info)) {}

  Matrix embed(const TextBatch& batch) const override {
    const TokenRows tokens = model_.tokenize(batch);
    tokens_ += tokens.ids.size();
    ++requests_;
    const TokenBatch ragged{tokens.ids, {}, tokens.offsets};
    Matrix out{batch.texts.size(), head_.width(), {}};
    out.values.resize(out.rows * out.columns);
    const std::optional<PoolKind> kind = engine_pooling(head_);
    if (kind && tokens.skip == 0) {
      engine_.embed(ragged, *kind, out.values.data());
    } else {
      engine_.for_each(ragged, [&](size_t i, const float* rows, size_t length) {
        head_.apply(rows, length, tokens.skip, out.row(i).data());
      });
    }
    return out;
  }

  const TextModel& model() const override { return model_; }
  EmbedderInfo info() const override { return info_; }
  uint64_t tokens_used() const override { return tokens_; }
  uint64_t requests_made() const override { return requests_; }

 private:
  TextModel model_;
  Engine engine_;
  Head head_;
  EmbedderInfo info_;
  mutable std::atomic<uint64_t> tokens_ = 0;
  mutable std::atomic<uint64_t> requests_ = 0;
};

Program program_of(const Graph& graph) {
  try {
    return raise(graph);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotSupported) throw;
    throw_not_supported(std::string(error.what()) +
                        "; run it in ONNX Runtime with backend=\"onnxruntime\"");
  }
}

EmbedderInfo info_of(const Graph& graph, const Head& head, const Engine& engine) {
  EmbedderInfo info;
  info.runtime = "native";
  info.providers = {"CPUExecutionProvider"};
  for (const ValueInfo& input : graph.inputs) info.inputs.push_back(input.name);
  for (const ValueInfo& output : graph.outputs) info.outputs.push_back(output.name);
  info.dimension = head.width();
  info.threads = engine.threads();
  info.pooling = head.name();
  return info;
}

}  // namespace

std::unique_ptr<LocalBackend> open_native(const std::string& name, const EmbedderOptions& options) {
  if (options.onnxruntime.device != Device::kCpu) {
    throw_not_supported(
        "the native engine runs on the CPU only; for a GPU use backend=\"onnxruntime\"");
  }
  TextModel model = TextModel::load(name, options);
  const Graph graph = read_onnx(model.onnx);
  const Program program = program_of(graph);
  model.limit_length(static_cast<size_t>(std::max<int64_t>(0, program.max_positions)));
  if (!program.head.empty()) {
    throw_not_supported(model.onnx.string() +
                        ": is a cross-encoder, which scores pairs; use `embedforge rerank`");
  }
  Head head(with_graphs_pooling(model.config, program), options.pooling,
            static_cast<size_t>(program.hidden_size));
  Engine engine(program,
                {.precision = options.precision, .threads = options.threads, .model = model.onnx});
  EmbedderInfo info = info_of(graph, head, engine);
  return std::make_unique<NativeBackend>(std::move(model), std::move(engine), std::move(head),
                                         std::move(info));
}

std::unique_ptr<LocalBackend> open_local(const std::string& model, const EmbedderOptions& options) {
  return options.runtime == Runtime::kNative ? open_native(model, options)
                                             : open_onnxruntime(model, options);
}

}  // namespace embedforge
