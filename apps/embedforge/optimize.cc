#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "commands.h"
#include "embedforge/error.h"
#include "embedforge/model.h"
#include "model_flags.h"
#include "output.h"

namespace embedforge::app {
namespace {

using Json = nlohmann::ordered_json;

struct OptimizeFlags {
  std::string model;
  std::string out;
  std::string input;
  std::string level = "extended";
  OptimizeOptions options;
  bool list = false;
  bool json = false;
};

void print_passes(bool json) {
  Json all = Json::array();
  for (const PassInfo& pass : list_passes()) {
    const char* level = optimize_level_name(pass.level);
    if (json) {
      all.push_back({{"name", pass.name}, {"level", level}, {"intent", pass.intent}});
    } else {
      print(fmt::format("{:<18} {:<9} {}\n", pass.name, level, pass.intent));
    }
  }
  if (json) print(all.dump(2) + "\n");
}

void print_json(const OptimizeResult& result, const OptimizeFlags& flags) {
  Json passes = Json::array();
  for (const PassReport& pass : result.passes) {
    passes.push_back({{"name", pass.name},
                      {"seconds", pass.seconds},
                      {"removed", pass.removed},
                      {"rewritten", pass.rewritten}});
  }
  Json files = Json::object();
  for (const WrittenFile& file : result.files) files[file.path.string()] = file.bytes;
  const Json report = {{"source", result.source.string()},
                       {"model", result.model.string()},
                       {"level", flags.level},
                       {"nodes_before", result.nodes_before},
                       {"nodes_after", result.nodes_after},
                       {"seconds", result.seconds},
                       {"passes", passes},
                       {"files", files}};
  print(report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

void run_optimize(OptimizeFlags& flags) {
  if (flags.list) return print_passes(flags.json);
  if (flags.model.empty()) {
    throw_usage("optimize needs a model folder or an .onnx file; see embedforge optimize -h");
  }
  flags.options.level = optimize_level_of(flags.level);
  flags.options.tell = tell;
  const OptimizeResult result = optimize(flags.model, flags.out, flags.options, flags.input);
  if (flags.json) return print_json(result, flags);
  for (const PassReport& pass : result.passes) {
    print(fmt::format("{:<18} {:>8.1f} ms  {:>5} nodes removed  {:>4} rewritten\n", pass.name,
                      pass.seconds * 1e3, pass.removed, pass.rewritten));
  }
  print(fmt::format("nodes {} -> {} in {:.2f} s\n", result.nodes_before, result.nodes_after,
                    result.seconds));
  for (const WrittenFile& file : result.files) {
    print(fmt::format("{:>10}  {}\n", size_text(file.bytes), file.path.string()));
  }
}

}  // namespace

void add_optimize(CLI::App& app) {
  const auto flags = std::make_shared<OptimizeFlags>();
  CLI::App* command =
      app.add_subcommand("optimize", "Rewrite an ONNX file with fewer, larger operators");
  command->add_option("DIR", flags->model, "model folder or hub id, or an .onnx file")
      ->type_name("");
  command->add_option("-o,--output", flags->out,
                      "file to write; default model_LEVEL.onnx beside the input");
  command->add_option("--level", flags->level, "none, basic, extended or all")
      ->capture_default_str();
  command->add_option("--input", flags->input,
                      "file to read; default onnx/model.onnx of the folder");
  command->add_option("--disable-pass", flags->options.disabled, "leave a pass out (repeatable)")
      ->allow_extra_args(false);
  command->add_flag("--list-passes", flags->list, "name every pass and what it does, in order");
  command->add_flag("--json", flags->json, "the report as JSON");
  command->footer(
      "Example:\n  embedforge optimize minilm --level extended\n"
      "  embedforge encode minilm \"some text\" --file onnx/model_extended.onnx");
  command->callback([flags] { run_optimize(*flags); });
}

}  // namespace embedforge::app
