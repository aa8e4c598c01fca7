#include "passes/pipeline.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <set>

#include "embedforge/error.h"
#include "graph/check_types.h"
#include "graph/verify.h"
#include "passes/passes.h"

namespace embedforge {
namespace {

using Level = OptimizeLevel;

constexpr std::array kPasses = {
    Pass{"fold_constants", Level::kBasic, "compute what depends on constants alone",
         passes::fold_constants},
    Pass{"fold_shapes", Level::kBasic, "replace sizes and reshapes that are the same for any input",
         passes::fold_shapes},
    Pass{"remove_identities", Level::kBasic,
         "drop Identity, Cast, Dropout, x+0, x*1 without effect", passes::remove_identities},
    Pass{"simplify_layout", Level::kBasic,
         "drop and join Reshape, Transpose, Slice, Expand, Squeeze, Unsqueeze, Concat",
         passes::simplify_layout},
    Pass{"merge_duplicates", Level::kBasic, "compute equal expressions once",
         passes::merge_duplicates},
    Pass{"fuse_layer_norm", Level::kBasic, "LayerNormalization where opset 17 or newer has it",
         passes::fuse_layer_norm},
    Pass{"fuse_gelu", Level::kBasic, "Gelu where opset 20 or newer has it", passes::fuse_gelu},
    Pass{"fuse_gemm", Level::kBasic, "MatMul and Add of matrices become Gemm", passes::fuse_gemm},
    Pass{"fuse_embedding", Level::kExtended, "EmbedLayerNormalization of the three tables",
         passes::fuse_embedding},
    Pass{"fuse_attention", Level::kExtended,
         "Attention, or RotaryEmbedding and MultiHeadAttention, with its projections",
         passes::fuse_attention},
    Pass{"fuse_skip_norm", Level::kExtended, "SkipLayerNormalization of residual and bias",
         passes::fuse_skip_norm},
    Pass{"fuse_bias_gelu", Level::kExtended, "BiasGelu, Gelu and FastGelu", passes::fuse_bias_gelu},
    Pass{"fuse_matmul", Level::kExtended, "FusedMatMul of a transpose or scale and its product",
         passes::fuse_matmul},
    Pass{"join_projections", Level::kBasic, "one product for q, k and v (and other equal inputs)",
         passes::join_projections},
    Pass{"split_skip_norm", Level::kAll,
         "Add and LayerNormalization again, where they are faster than SkipLayerNormalization",
         passes::split_skip_norm},
    Pass{"share_weights", Level::kAll, "keep equal weights once", passes::share_weights},
    Pass{"remove_dead", Level::kBasic, "drop what no output needs", passes::remove_dead},
};

/// The most rounds that cleaning up after cleaning up may take.
constexpr int kRounds = 8;

using Operators = std::map<std::string, int64_t>;

Operators count_operators(const Graph& graph) {
  Operators out;
  for (const Node& node : graph.nodes) ++out[node.domain + "." + node.op_type];
  return out;
}

/// Nodes of operators that there are more of than before.
int64_t rewritten(const Operators& before, const Operators& after) {
  int64_t out = 0;
  for (const auto& [name, count] : after) {
    const auto found = before.find(name);
    out += std::max<int64_t>(0, count - (found == before.end() ? 0 : found->second));
  }
  return out;
}

/// What tells whether a round changed anything.
struct Outline {
  explicit Outline(const Graph& graph) : constants(graph.initializers.size()) {
    for (const Node& node : graph.nodes) {
      nodes.push_back({node.op_type});
      nodes.back().insert(nodes.back().end(), node.inputs.begin(), node.inputs.end());
    }
  }
  bool operator==(const Outline&) const = default;
  size_t constants;
  std::vector<std::vector<std::string>> nodes;
};

void run_pass(const Pass& pass, Graph& graph, const std::string& what, PassReport& report) {
  const auto start = std::chrono::steady_clock::now();
  const Operators before = count_operators(graph);
  const auto nodes = static_cast<int64_t>(graph.nodes.size());
  pass.run(graph);
  try {
    const std::string after = what + " after the pass " + pass.name;
    verify(graph, after);
    check_types(graph, after);
  } catch (const Error& error) {
    throw Error(ErrorCode::kBug, error.what());
  }
  report.removed += nodes - static_cast<int64_t>(graph.nodes.size());
  report.rewritten += rewritten(before, count_operators(graph));
  report.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

std::span<const Pass> pass_list() { return kPasses; }

std::vector<PassInfo> list_passes() {
  std::vector<PassInfo> out;
  out.reserve(std::size(kPasses));
  for (const Pass& pass : kPasses) out.push_back({pass.name, pass.level, pass.intent});
  return out;
}

void check_pass_names(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (std::ranges::none_of(kPasses, [&](const Pass& pass) { return name == pass.name; })) {
      throw_usage("there is no pass '" + name + "'; embedforge optimize --list-passes names them");
    }
  }
}

std::vector<PassReport> optimize(Graph& graph, const OptimizeOptions& options,
                                 const std::string& what) {
  check_pass_names(options.disabled);
  verify(graph, what);
  check_types(graph, what);
  std::vector<const Pass*> chosen;
  std::vector<PassReport> reports;
  for (const Pass& pass : kPasses) {
    const bool disabled = std::ranges::find(options.disabled, pass.name) != options.disabled.end();
    if (pass.level > options.level || disabled) continue;
    chosen.push_back(&pass);
    reports.push_back({pass.name});
  }
  for (int round = 0; round < kRounds; ++round) {
    const Outline before(graph);
    for (size_t i = 0; i < chosen.size(); ++i) run_pass(*chosen[i], graph, what, reports[i]);
    if (Outline(graph) == before) break;
  }
  return reports;
}

}  // namespace embedforge
