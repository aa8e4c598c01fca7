#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands.h"
#include "convert/converted_model.h"
#include "embedforge/error.h"
#include "graph/graph.h"
#include "graph/print.h"
#include "graph/read_onnx.h"
#include "model_flags.h"
#include "output.h"
#include "plan/raise.h"

namespace embedforge::app {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct InspectFlags {
  std::string target;
  bool json = false;
};

/// The .onnx files of a folder and of its onnx/, by name; or the one file.
std::vector<fs::path> model_files(const std::string& target) {
  const ResolvedModel resolved = resolve_converted(target, "", tell);
  if (!resolved.file.empty()) return {resolved.file};
  std::vector<fs::path> files;
  for (const fs::path& folder : {resolved.folder, resolved.folder / "onnx"}) {
    std::error_code missing;
    for (const auto& entry : fs::directory_iterator(folder, missing)) {
      if (entry.path().extension() == ".onnx") files.push_back(entry.path());
    }
  }
  if (files.empty()) {
    throw_bad_input(target + ": has no .onnx file; make one with embedforge convert");
  }
  std::sort(files.begin(), files.end());
  return files;
}

Json values_json(const std::vector<ValueInfo>& values) {
  Json list = Json::array();
  for (const ValueInfo& value : values) {
    Json item = {{"name", value.name}, {"type", data_type_name(value.type)}};
    if (value.shape) {
      item["shape"] = Json::array();
      for (const Dim& dim : *value.shape) {
        std::visit([&](const auto& size) { item["shape"].push_back(size); }, dim);
      }
    }
    list.push_back(std::move(item));
  }
  return list;
}

/// What the native engine does with the graph: the number of its steps by kind, or why it can't run
/// it.
Json native_json(const Graph& graph) {
  static constexpr std::array<const char*, 7> kKinds = {"embed", "norm",  "linear",   "add",
                                                        "gate",  "heads", "attention"};
  static_assert(std::variant_size_v<Step> == kKinds.size());
  try {
    const Program program = raise(graph);
    std::map<std::string, int> steps;
    for (const Step& step : program.steps) ++steps[kKinds[step.index()]];
    if (!program.head.empty()) steps["pool"] = 1;
    return {{"runs", true},
            {"steps", steps},
            {"hidden_size", program.hidden_size},
            {"max_positions", program.max_positions},
            {"vocabulary", program.vocabulary},
            {"pooling_in_graph", !program.head.empty()}};
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNotSupported) throw;
    return {{"runs", false}, {"reason", error.what()}};
  }
}

Json inspect(const fs::path& path) {
  const Graph graph = read_onnx(path);
  std::map<std::string, int> operators;
  for (const Node& node : graph.nodes) {
    ++operators[node.domain.empty() ? node.op_type : node.domain + "::" + node.op_type];
  }
  std::map<std::string, uint64_t> weights;
  for (const auto& [name, tensor] : graph.initializers) {
    weights[data_type_name(tensor.type)] += tensor.bytes.size();
  }
  Json opsets = Json::object();
  for (const auto& [domain, version] : graph.opsets) {
    opsets[domain.empty() ? "ai.onnx" : domain] = version;
  }
  Json result = {{"file", path.string()},
                 {"bytes", fs::file_size(path)},
                 {"producer", graph.producer + " " + graph.producer_version},
                 {"ir_version", graph.ir_version},
                 {"opsets", opsets},
                 {"inputs", values_json(graph.inputs)},
                 {"outputs", values_json(graph.outputs)},
                 {"nodes", graph.nodes.size()},
                 {"operators", operators},
                 {"weight_bytes", weights},
                 {"metadata", graph.metadata},
                 {"native", native_json(graph)}};
  return result;
}

std::string shape_text(const Json& value) {
  std::string text = value["type"].get<std::string>();
  if (!value.contains("shape")) return text;
  text += " [";
  for (size_t i = 0; i < value["shape"].size(); ++i) {
    const Json& dim = value["shape"][i];
    text += (i > 0 ? ", " : "") + (dim.is_string() ? dim.get<std::string>() : dim.dump());
  }
  return text + "]";
}

void print_for_people(const Json& info) {
  print(fmt::format("{}  {}\n", info["file"].get<std::string>(), size_text(info["bytes"])));
  print(fmt::format("  producer   {} (ir {})\n", info["producer"].get<std::string>(),
                    info["ir_version"].get<int64_t>()));
  for (const auto& [domain, version] : info["opsets"].items()) {
    print(fmt::format("  opset      {} {}\n", domain, version.get<int64_t>()));
  }
  for (const char* side : {"inputs", "outputs"}) {
    for (const Json& value : info[side]) {
      print(fmt::format("  {:<10} {}: {}\n", std::string(side, std::string(side).size() - 1),
                        value["name"].get<std::string>(), shape_text(value)));
    }
  }
  for (const auto& [type, bytes] : info["weight_bytes"].items()) {
    print(fmt::format("  weights    {} of {}\n", size_text(bytes), type));
  }
  std::string operators;
  for (const auto& [name, count] : info["operators"].items()) {
    operators += fmt::format("{}{} {}", operators.empty() ? "" : ", ", count.get<int>(), name);
  }
  print(fmt::format("  nodes      {}: {}\n", info["nodes"].get<size_t>(), operators));
  const Json& native = info["native"];
  if (!native["runs"].get<bool>()) {
    print(fmt::format("  native     does not run: {}\n", native["reason"].get<std::string>()));
    return;
  }
  std::string steps;
  for (const auto& [kind, count] : native["steps"].items()) {
    steps += fmt::format("{}{} {}", steps.empty() ? "" : ", ", count.get<int>(), kind);
  }
  print(fmt::format("  native     runs as {} (hidden size {}, at most {} tokens)\n", steps,
                    native["hidden_size"].get<int64_t>(), native["max_positions"].get<int64_t>()));
}

void run_inspect(const InspectFlags& flags) {
  Json all = Json::array();
  for (const fs::path& file : model_files(flags.target)) {
    Json info = inspect(file);
    if (flags.json) {
      all.push_back(std::move(info));
    } else {
      print_for_people(info);
    }
  }
  if (!flags.json) return;
  const Json& shown = all.size() == 1 ? all[0] : all;
  print(shown.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace

void add_inspect(CLI::App& app) {
  const auto flags = std::make_shared<InspectFlags>();
  CLI::App* command = app.add_subcommand(
      "inspect",
      "Show a model's inputs, outputs, opset, sizes, operators and what the engine does with it");
  command->add_option("FILE|DIR", flags->target, "an .onnx file, or a folder or hub id with some")
      ->type_name("")
      ->required();
  command->add_flag("--json", flags->json, "as JSON; an array when there are several files");
  command->footer("Example:\n  embedforge inspect minilm/onnx/model.onnx --json");
  command->callback([flags] { run_inspect(*flags); });
}

}  // namespace embedforge::app
