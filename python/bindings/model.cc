#include "embedforge/model.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bindings.h"
#include "config/model_config.h"
#include "hub/hub.h"
#include "tell.h"

namespace embedforge::python {
namespace {

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a needs it

using Files = std::vector<std::pair<std::string, uint64_t>>;

/// The model's path, the checkpoint's bytes, each written file with its bytes, and warnings.
std::tuple<std::string, uint64_t, Files, std::vector<std::string>> convert_model(
    const std::string& model, const std::string& out, int opset, bool with_pooling, bool strict) {
  const nb::gil_scoped_release unlocked;
  std::vector<std::string> warnings;
  const auto warn = [&](const std::string& message) { warnings.push_back(message); };
  const ConvertResult result = convert(model, out, {opset, with_pooling, warn, strict});
  Files files;
  for (const WrittenFile& file : result.files) files.emplace_back(file.path.string(), file.bytes);
  return {result.model.string(), result.checkpoint_bytes, std::move(files), std::move(warnings)};
}

/// Source, model, nodes before and after, seconds, files, and of each pass its name, seconds, nodes
/// removed and rewritten.
std::tuple<std::string, std::string, int64_t, int64_t, double, Files,
           std::vector<std::tuple<std::string, double, int64_t, int64_t>>>
optimize_model(const std::string& model, const std::string& out, const std::string& level,
               const std::vector<std::string>& disabled, const std::string& input) {
  const nb::gil_scoped_release unlocked;
  const OptimizeResult result =
      optimize(model, out, {optimize_level_of(level), disabled, tell_python}, input);
  Files files;
  for (const WrittenFile& file : result.files) files.emplace_back(file.path.string(), file.bytes);
  std::vector<std::tuple<std::string, double, int64_t, int64_t>> passes;
  for (const PassReport& pass : result.passes) {
    passes.emplace_back(pass.name, pass.seconds, pass.removed, pass.rewritten);
  }
  return {result.source.string(), result.model.string(), result.nodes_before, result.nodes_after,
          result.seconds,         std::move(files),      std::move(passes)};
}

std::map<std::string, std::string> prompts(const std::string& model) {
  return read_model_config(resolve_model(model, PullWhat::kSettings).folder).prompts;
}

std::string tokenizer_folder(const std::string& model) {
  return read_model_config(resolve_model(model, PullWhat::kSettings).folder).transformer.string();
}

}  // namespace

void register_model(nb::module_& module) {
  module.def("convert", convert_model, "model"_a, "out"_a, "opset"_a, "with_pooling"_a, "strict"_a);
  module.def("optimize", optimize_model, "model"_a, "out"_a, "level"_a, "disabled"_a, "input"_a);
  module.def("prompts", prompts, "model"_a);
  module.def("tokenizer_folder", tokenizer_folder, "model"_a);
}

}  // namespace embedforge::python
