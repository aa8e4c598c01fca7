#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/atomic_file.h"
#include "commands.h"
#include "embedforge/error.h"
#include "embedforge/model.h"
#include "model_flags.h"
#include "output.h"
#include "pipeline/text_source.h"

namespace embedforge::app {
namespace {

using Json = nlohmann::ordered_json;

struct QuantizeFlags {
  std::string model;
  std::string output;
  std::string method = "dynamic";
  std::string calibration;
  std::string range = "mse";
  std::string report;
  QuantizeOptions options;
};

std::vector<std::string> read_texts(const std::string& path) {
  TextSource source({}, path);
  std::vector<std::string> out;
  for (std::vector<std::string> block = source.next(); !block.empty(); block = source.next()) {
    out.insert(out.end(), std::make_move_iterator(block.begin()),
               std::make_move_iterator(block.end()));
  }
  if (out.empty()) throw_bad_input(path + ": has no texts; give one a line");
  return out;
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

double reduction(const QuantizeResult& result) {
  return 100.0 *
         (1.0 - static_cast<double>(result.bytes) / static_cast<double>(result.original_bytes));
}

Json cosine_json(const std::vector<double>& ascending) {
  Json json = {{"mean", mean(ascending)}, {"min", ascending.front()}};
  for (const size_t p : {size_t{1}, size_t{5}, size_t{25}, size_t{50}, size_t{75}})
    json[fmt::format("p{}", p)] = ascending[ascending.size() * p / 100];
  json["texts"] = ascending.size();
  return json;
}

void write_report(const QuantizeFlags& flags, const QuantizeResult& result, AtomicFile& file) {
  Json json = {
      {"model", result.model.string()},          {"method", flags.method},
      {"original_bytes", result.original_bytes}, {"bytes", result.bytes},
      {"reduction_percent", reduction(result)},  {"calibration_texts", result.calibration_texts},
      {"built_in_texts", result.own_texts}};
  if (flags.method == "static") json["calibrate_method"] = flags.range;
  if (!result.cosines.empty()) json["cosine"] = cosine_json(result.cosines);
  if (flags.options.target_cosine > 0) {
    json["target_cosine"] = flags.options.target_cosine;
    json["target_reached"] = result.target_reached;
    json["kept_float"] = Json::array();
    for (const FloatLayer& layer : result.kept_float) {
      json["kept_float"].push_back(
          {{"node", layer.node}, {"cosine_gain", layer.gain}, {"extra_bytes", layer.bytes}});
    }
  }
  json["float_products"] = result.float_products;
  json["layers"] = Json::array();
  for (const QuantizedLayer& layer : result.layers) {
    Json one = {{"node", layer.node}, {"float_channels", layer.float_channels}};
    if (result.calibration_texts != 0) one["relative_error"] = layer.error;
    json["layers"].push_back(one);
  }
  file.write(json.dump(2) + "\n");
  file.commit();
}

std::string texts_line(const QuantizeFlags& flags, const QuantizeResult& result) {
  if (!result.note.empty()) return result.note;
  if (result.calibration_texts == 0) return "calibrated quickly with random tokens";
  if (!result.own_texts) return fmt::format("calibrated with {} texts", result.calibration_texts);
  const bool quick =
      flags.options.default_texts == DefaultTexts::kQuick && flags.method == "dynamic";
  return fmt::format(
      "calibrated {}with {} built-in texts; texts of your own (--calibration FILE) "
      "give better vectors",
      quick ? "quickly " : "", result.calibration_texts);
}

void print_result(const QuantizeFlags& flags, const QuantizeResult& result) {
  print(fmt::format("{:>10}  float\n{:>10}  {} ({:.1f} % smaller)\n",
                    size_text(result.original_bytes), size_text(result.bytes),
                    result.model.string(), reduction(result)));
  print(fmt::format("{} products in int8, {} stay float\n", result.layers.size(),
                    result.float_products));
  for (const FloatLayer& layer : result.kept_float) {
    print(fmt::format("  float: {} (+{}, cosine {:+.6f})\n", layer.node, size_text(layer.bytes),
                      layer.gain));
  }
  print(texts_line(flags, result) + "\n");
  if (result.cosines.empty()) return;
  print(fmt::format("cosine to the float model, {} other texts: mean {:.5f}, min {:.5f}\n",
                    result.cosines.size(), mean(result.cosines), result.cosines.front()));
}

/// [##########..........] on a terminal's standard error.
void show_progress(const std::string& what, size_t done, size_t all) {
  constexpr size_t kWidth = 30;
  const size_t full = all == 0 ? kWidth : kWidth * done / all;
  fmt::print(stderr, "\r[{}{}] {}/{} {:<22}{}", std::string(full, '#'),
             std::string(kWidth - full, '.'), done, all, what,
             what == "measuring" && done == all ? "\n" : "");
  std::fflush(stderr);
}

void read_flags(QuantizeFlags& flags) {
  QuantizeOptions& options = flags.options;
  options.tell = tell;
  options.output = flags.output;
  if (flags.method == "static") options.method = QuantizeMethod::kStatic;
  if (flags.range == "minmax") options.calibrate_method = CalibrateMethod::kMinMax;
  if (flags.range == "entropy") options.calibrate_method = CalibrateMethod::kEntropy;
  if (flags.range == "percentile") options.calibrate_method = CalibrateMethod::kPercentile;
  if (flags.calibration == "none") {
    options.default_texts = DefaultTexts::kNone;
  } else if (flags.calibration == "builtin") {
    options.default_texts = DefaultTexts::kFull;
  } else if (!flags.calibration.empty()) {
    options.calibration = read_texts(flags.calibration);
  }
  if (isatty(STDERR_FILENO) != 0) options.progress = show_progress;
}

void run_quantize(QuantizeFlags& flags) {
  read_flags(flags);
  std::optional<AtomicFile> report;
  if (!flags.report.empty()) report.emplace(flags.report);
  const QuantizeResult result = quantize(flags.model, flags.options);
  if (report) write_report(flags, result, *report);
  print_result(flags, result);
  if (!result.target_reached) {
    throw_not_supported(fmt::format(
        "--target-cosine {}: not reached, even with every product float (mean {:.6f}); {} is the "
        "best file",
        flags.options.target_cosine, mean(result.cosines), result.model.string()));
  }
}

}  // namespace

void add_quantize(CLI::App& app) {
  const auto flags = std::make_shared<QuantizeFlags>();
  CLI::App* command = app.add_subcommand("quantize", "Make an 8-bit model of a float one");
  command->add_option("MODEL", flags->model, "folder with onnx/model.onnx, hub id, or .onnx file")
      ->type_name("")
      ->required();
  command->add_option("-o,--output", flags->output,
                      "file to write (default onnx/model_qint8_METHOD.onnx in the folder)");
  command
      ->add_option(
          "--method", flags->method,
          "dynamic: activations are measured as it runs; static: their ranges are constant")
      ->check(CLI::IsMember({"dynamic", "static"}))
      ->capture_default_str();
  command->add_option("--calibration", flags->calibration,
                      "texts, one a line, like those that the model will see; or builtin (the "
                      "command's own texts, in full), or none (default: some of its own, quickly)");
  command->add_option("--calibrate-method", flags->range, "how static ranges follow from the texts")
      ->check(CLI::IsMember({"mse", "minmax", "entropy", "percentile"}))
      ->capture_default_str();
  command->add_flag("--reduce-range", flags->options.reduce_range,
                    "int8 weights that can't saturate on AVX2 without VNNI: faster there in ONNX "
                    "Runtime, and a little less near to the float model");
  command->add_option("--samples", flags->options.samples, "texts used for rounding at most")
      ->check(CLI::Range(10, 1 << 20))
      ->capture_default_str();
  command->add_option(
      "--target-cosine", flags->options.target_cosine,
      "mean cosine to the float model: as few products as reach it stay float; exit "
      "status 4 when none do (the best file is kept)");
  command->add_option("--exclude", flags->options.excluded, "MatMul node that stays float");
  command->add_option("--report", flags->report,
                      "write sizes, cosines and each layer's error as JSON");
  command->footer(
      "Example:\n  embedforge quantize minilm --calibration texts.txt --report report.json");
  command->callback([flags] { run_quantize(*flags); });
}

}  // namespace embedforge::app
