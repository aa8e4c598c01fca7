#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>

#include "base/atomic_file.h"
#include "commands.h"
#include "embedforge/error.h"
#include "embedforge/model.h"
#include "output.h"
#include "text_source.h"

namespace embedforge::app {
namespace {

struct QuantizeFlags {
  std::string model;
  std::string output;
  std::string method = "dynamic";
  std::string calibration;
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

struct Cosines {
  double mean = 0, least = 0, percentile = 0;  // the fifth
};

Cosines summary(const std::vector<double>& ascending) {
  const double sum = std::accumulate(ascending.begin(), ascending.end(), 0.0);
  return {sum / static_cast<double>(ascending.size()), ascending.front(),
          ascending[ascending.size() / 20]};
}

double reduction(const QuantizeResult& result) {
  return 100.0 *
         (1.0 - static_cast<double>(result.bytes) / static_cast<double>(result.original_bytes));
}

void write_report(const QuantizeResult& result, const std::string& path) {
  nlohmann::ordered_json json;
  json["model"] = result.model.string();
  json["original_bytes"] = result.original_bytes;
  json["bytes"] = result.bytes;
  json["reduction_percent"] = reduction(result);
  json["calibration_texts"] = result.calibration_texts;
  if (!result.cosines.empty()) {
    const Cosines c = summary(result.cosines);
    json["cosine"] = {
        {"mean", c.mean}, {"min", c.least}, {"p5", c.percentile}, {"texts", result.cosines.size()}};
  }
  json["float_products"] = result.float_products;
  for (const QuantizedLayer& layer : result.layers) {
    nlohmann::ordered_json one = {{"node", layer.node}, {"float_channels", layer.float_channels}};
    if (result.calibration_texts != 0) one["relative_error"] = layer.error;
    json["layers"].push_back(one);
  }
  AtomicFile file(path);
  file.write(json.dump(2) + "\n");
  file.commit();
}

void print_result(const QuantizeResult& result) {
  print(fmt::format("{:>10}  float\n{:>10}  {} ({:.1f} % smaller)\n",
                    size_text(result.original_bytes), size_text(result.bytes),
                    result.model.string(), reduction(result)));
  print(fmt::format("{} products in int8, {} stay float\n", result.layers.size(),
                    result.float_products));
  if (result.cosines.empty()) {
    print("rounded to nearest; --calibration texts.txt gives better vectors and measures them\n");
    return;
  }
  const Cosines c = summary(result.cosines);
  print(fmt::format(
      "cosine to the float model, {} texts not used for rounding: mean {:.5f}, min {:.5f}\n",
      result.cosines.size(), c.mean, c.least));
}

void run_quantize(QuantizeFlags& flags) {
  if (flags.method != "dynamic")
    throw_not_supported("--method " + flags.method + " isn't supported yet; use dynamic");
  flags.options.output = flags.output;
  if (!flags.calibration.empty()) flags.options.calibration = read_texts(flags.calibration);
  const bool shows = isatty(STDERR_FILENO) != 0;
  if (shows) {
    flags.options.progress = [](size_t done, size_t all) {
      fmt::print(stderr, "\rquantizing {}/{}{}", done, all, done == all ? "\n" : "");
    };
  }
  const QuantizeResult result = quantize(flags.model, flags.options);
  if (!flags.report.empty()) write_report(result, flags.report);
  print_result(result);
}

}  // namespace

void add_quantize(CLI::App& app) {
  const auto flags = std::make_shared<QuantizeFlags>();
  CLI::App* command = app.add_subcommand("quantize", "Make an 8-bit model of a float one");
  command->add_option("MODEL", flags->model, "folder with onnx/model.onnx, hub id, or .onnx file")
      ->type_name("")
      ->required();
  command->add_option("-o,--output", flags->output,
                      "file to write (default onnx/model_qint8_dynamic.onnx in the folder)");
  command->add_option("--method", flags->method, "dynamic: activations are measured as it runs")
      ->check(CLI::IsMember({"dynamic", "static"}))
      ->capture_default_str();
  command->add_option("--calibration", flags->calibration,
                      "texts, one a line, like those that the model will see");
  command->add_option("--samples", flags->options.samples, "texts used for rounding at most")
      ->capture_default_str();
  command->add_option("--exclude", flags->options.excluded, "MatMul node that stays float");
  command->add_option("--report", flags->report,
                      "write sizes, cosines and each layer's error as JSON");
  command->footer(
      "Example:\n  embedforge quantize minilm --calibration texts.txt --report report.json");
  command->callback([flags] { run_quantize(*flags); });
}

}  // namespace embedforge::app
