// The backend of embedforge's own engine.
#include <algorithm>
#include <atomic>
#include <utility>

#include "backends/backend.h"
#include "backends/head.h"
#include "backends/text_model.h"
#include "embedforge/error.h"
#include "engine/engine.h"
#include "engine/head.h"
#include "graph/read_onnx.h"
#include "plan/raise.h"

namespace embedforge {
namespace {

class NativeBackend : public LocalBackend {
 public:
  NativeBackend(TextModel model, Engine engine, EmbedderInfo info)
      : model_(std::move(model)), engine_(std::move(engine)), info_(std::move(info)) {}

  Matrix embed(const TextBatch& batch) const override {
    const TokenRows tokens = model_.tokenize(batch);
    tokens_ += tokens.ids.size();
    ++requests_;
    Matrix out{batch.texts.size(), engine_.width(), {}};
    out.values.resize(out.rows * out.columns);
    engine_.pooled({tokens.ids, {}, tokens.offsets, tokens.skip}, out.values.data());
    return out;
  }

  const TextModel& model() const override { return model_; }
  EmbedderInfo info() const override { return info_; }
  uint64_t tokens_used() const override { return tokens_; }
  uint64_t requests_made() const override { return requests_; }

 private:
  TextModel model_;
  Engine engine_;
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

EmbedderInfo info_of(const Graph& graph, const Program& program, const Engine& engine) {
  EmbedderInfo info;
  info.runtime = "native";
  info.providers = {"CPUExecutionProvider"};
  for (const ValueInfo& input : graph.inputs) info.inputs.push_back(input.name);
  for (const ValueInfo& output : graph.outputs) info.outputs.push_back(output.name);
  info.dimension = engine.width();
  info.threads = engine.threads();
  info.pooling = pooling_names(program.head);
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
  Program program = program_of(graph);
  model.limit_length(program.max_positions);
  program.head = head_of(program, model.config, options.pooling);
  if (program.pools_itself && program.head.size() > 1) {
    throw_not_supported(model.onnx.string() +
                        ": is a cross-encoder, which scores pairs; use `embedforge rerank`");
  }
  Engine engine(program,
                {.compute = options.compute, .threads = options.threads, .model = model.onnx});
  EmbedderInfo info = info_of(graph, program, engine);
  return std::make_unique<NativeBackend>(std::move(model), std::move(engine), std::move(info));
}

std::unique_ptr<LocalBackend> open_local(const std::string& model, const EmbedderOptions& options) {
  return options.runtime == Runtime::kNative ? open_native(model, options)
                                             : open_onnxruntime(model, options);
}

}  // namespace embedforge
