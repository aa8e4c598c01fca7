// The backend of embedforge's own engine.
#include <algorithm>
#include <utility>

#include "backends/backend.h"
#include "embedforge/error.h"
#include "engine/engine.h"
#include "engine/head.h"
#include "graph/choose_output.h"
#include "graph/read_onnx.h"
#include "plan/raise.h"

namespace embedforge {
namespace {

bool ends_in_scores(const Program& program) {
  return program.pools_itself && std::ranges::any_of(program.head, [](const HeadStep& step) {
           return std::holds_alternative<LinearStep>(step);
         });
}

/// Where the graph gives no more than pooled vectors, these count, whatever the folder says.
/// Lengths are left to the callers, who normalize as they are asked to.
void choose_head(Program& program, const EmbedderOptions& options, const MakeHead& head) {
  if (!program.pools_itself) {
    program.head = head(program.hidden_size);
  } else if (options.pooling) {
    program.head = {PoolStep{{*options.pooling}}};
  }
  std::erase_if(program.head,
                [](const HeadStep& step) { return std::holds_alternative<NormalizeStep>(step); });
}

Program program_of(const Graph& graph) {
  try {
    return raise(graph);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotSupported) throw;
    throw_not_supported(std::string(error.what()) +
                        "; run it in ONNX Runtime with backend=\"onnxruntime\"");
  }
}

/// What the file says, before an output of it is chosen.
EmbedderInfo info_of(const Graph& graph) {
  EmbedderInfo info;
  info.backend = "native";
  info.providers = {"CPUExecutionProvider"};
  for (const ValueInfo& input : graph.inputs) info.inputs.push_back(input.name);
  for (const ValueInfo& output : graph.outputs) info.outputs.push_back(output.name);
  return info;
}

/// What the options say, else what the file's products are.
std::string computed_in(const Program& program, Compute compute) {
  if (compute != Compute::kAuto) return compute_name(compute);
  const bool integers = std::ranges::any_of(program.steps, [](const Step& step) {
    const auto* linear = std::get_if<LinearStep>(&step);
    return linear != nullptr && linear->weight.integer_product() != nullptr;
  });
  return integers ? "int8" : "float32";
}

class NativeBackend : public TokenBackend {
 public:
  NativeBackend(EmbedderInfo info, const Program& program, const EngineOptions& options)
      : engine_(program, options),
        scores_(ends_in_scores(program)),
        max_positions_(program.max_positions),
        info_(std::move(info)) {
    info_.dimension = engine_.width();
    info_.threads = engine_.threads();
    info_.pooling = pooling_names(program.head);
    info_.compute = computed_in(program, options.compute);
  }

  bool gives(Want want) const override {
    return want == Want::kTokens || (want == Want::kScores) == scores_;
  }

  Result run(const TokenBatch& batch, Want want, size_t /*batch_size*/) const override {
    const bool tokens = want == Want::kTokens;
    Matrix out{tokens ? batch.ids.size() : batch.sequences(),
               tokens ? engine_.hidden_size() : engine_.width(),
               {}};
    out.values.resize(out.rows * out.columns);
    if (tokens) {
      engine_.tokens(batch, out.values.data());
      return TokenVectors{std::move(out)};
    }
    engine_.pooled(batch, out.values.data());
    if (want == Want::kScores) return Scores{std::move(out)};
    return PooledVectors{std::move(out)};
  }

  size_t max_positions() const override { return max_positions_; }
  EmbedderInfo info() const override { return info_; }

 private:
  Engine engine_;
  bool scores_;
  size_t max_positions_;
  EmbedderInfo info_;
};

}  // namespace

std::unique_ptr<TokenBackend> open_native(const std::filesystem::path& onnx,
                                          const EmbedderOptions& options, const MakeHead& head,
                                          const SharedThreads& threads) {
  Graph graph = read_onnx(onnx);
  EmbedderInfo info = info_of(graph);
  keep_output(graph, options.output_name, onnx.string());
  Program program = program_of(graph);
  if (!ends_in_scores(program)) choose_head(program, options, head);
  return std::make_unique<NativeBackend>(std::move(info), program,
                                         EngineOptions{.compute = options.compute,
                                                       .threads = options.threads,
                                                       .shared_threads = threads,
                                                       .model = onnx});
}

}  // namespace embedforge
