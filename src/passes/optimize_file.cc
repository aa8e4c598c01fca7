// The public optimize(): files in, files out.
#include <array>
#include <chrono>
#include <utility>

#include "base/atomic_file.h"
#include "base/mapped_file.h"
#include "config/model_folder.h"
#include "convert/converted_model.h"
#include "embedforge/error.h"
#include "embedforge/model.h"
#include "graph/read_onnx.h"
#include "graph/write_onnx.h"
#include "passes/pipeline.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::pair<const char*, OptimizeLevel>, 4> kLevels = {
    {{"none", OptimizeLevel::kNone},
     {"basic", OptimizeLevel::kBasic},
     {"extended", OptimizeLevel::kExtended},
     {"all", OptimizeLevel::kAll}}};

bool has_external_data(const Graph& graph, const fs::path& path) {
  uint64_t bytes = 0;
  for (const auto& [name, tensor] : graph.initializers) bytes += tensor.bytes.size();
  return bytes > fs::file_size(path);
}

void copy_unchanged(const fs::path& from, const fs::path& to) {
  const MappedFile source = MappedFile::open(from);
  AtomicFile target(to);
  target.write(source.bytes());
  target.commit();
}

}  // namespace

const char* optimize_level_name(OptimizeLevel level) {
  return kLevels.at(static_cast<size_t>(level)).first;
}

OptimizeLevel optimize_level_of(const std::string& name) {
  for (const auto& [known, level] : kLevels) {
    if (name == known) return level;
  }
  throw_usage("there is no level '" + name + "'; choose none, basic, extended or all");
}

OptimizeResult optimize(const std::string& model, const fs::path& out,
                        const OptimizeOptions& options, const fs::path& input) {
  const auto start = std::chrono::steady_clock::now();
  check_pass_names(options.disabled);
  OptimizeResult result;
  result.source = resolve_converted(model, input.string(), options.tell).onnx(input.string());
  Graph graph = read_onnx(result.source);
  result.model = !out.empty()
                     ? out
                     : result.source.parent_path() /
                           (std::string("model_") + optimize_level_name(options.level) + ".onnx");
  result.nodes_before = static_cast<int64_t>(graph.nodes.size());
  result.passes = optimize(graph, options, result.source.string());
  result.nodes_after = static_cast<int64_t>(graph.nodes.size());
  if (options.level == OptimizeLevel::kNone && !has_external_data(graph, result.source)) {
    copy_unchanged(result.source, result.model);
  } else {
    write_onnx(graph, result.model);
  }
  result.files = onnx_files(result.model);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace embedforge
