#include "model_flags.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "embed/options.h"
#include "embedforge/error.h"

namespace embedforge::app {
namespace {

/// "2GB" and "512MiB" in bytes.
uint64_t bytes_of(const std::string& text) {
  size_t end = 0;
  double number = 0;
  try {
    number = std::stod(text, &end);
  } catch (const std::exception&) {
    end = 0;
  }
  const std::map<std::string, double> units = {
      {"", 1},     {"B", 1},           {"KB", 1e3},        {"MB", 1e6},
      {"GB", 1e9}, {"KiB", 1U << 10U}, {"MiB", 1U << 20U}, {"GiB", 1U << 30U}};
  const auto unit = units.find(text.substr(end));
  if (end == 0 || unit == units.end() || number <= 0)
    throw_usage("--gpu-mem-limit " + text + ": must be a number of bytes, such as 2GB");
  return static_cast<uint64_t>(number * unit->second);
}

Device device_of(const std::string& name) {
  if (name == "cuda") return Device::kCuda;
  return name == "tensorrt" ? Device::kTensorRt : Device::kCpu;
}

std::string flag_of(std::string field) {
  std::ranges::replace(field, '_', '-');
  return "--" + field;
}

}  // namespace

void add_model_flags(CLI::App& command, ModelFlags& flags) {
  command
      .add_option("MODEL", flags.model,
                  "hub id, a folder, an .onnx file, or a server's name of a model")
      ->type_name("")
      ->required();
  add_model_options(command, flags);
}

void add_model_options(CLI::App& command, ModelFlags& flags) {
  EmbedderOptions& options = flags.options;
  command.add_option("--file", options.file,
                     "the .onnx file within the folder (default: onnx/model.onnx)");
  command.add_option("--output-name", options.output_name,
                     "the file's output that is the embedding, where several could be");
  command.add_option("--tokenizer", options.tokenizer,
                     "folder with tokenizer.json (default: the model's)");
  command.add_option("--backend", options.backend)
      ->check(CLI::IsMember(backend_names()))
      ->capture_default_str();
  command.add_option("--base-url", options.server.base_url,
                     "of a server (default: OPENAI_BASE_URL and the like, then its usual address)");
  command.add_option("--device", flags.device)
      ->check(CLI::IsMember({"cpu", "cuda", "tensorrt"}))
      ->capture_default_str();
  command.add_option("--device-id", options.onnxruntime.device_id, "which GPU")
      ->check(CLI::Range(0, 1024));
  command.add_option("--gpu-mem-limit", flags.gpu_mem_limit, "such as 2GB");
  command
      .add_option("--threads", options.threads, "default: what affinity and container quota allow")
      ->check(CLI::Range(1, 1024));
  command
      .add_option("--max-length", options.max_length, "tokens a text (default: as the model says)")
      ->check(CLI::Range(1, 1 << 20));
  command.add_option("--pooling", flags.pooling, "default: as the model says")
      ->check(CLI::IsMember(
          {"mean", "cls", "max", "last", "last-token", "mean_sqrt_len", "weightedmean"}));
  command
      .add_option("--compute", flags.compute,
                  "what the native engine computes the layers of a float file in: auto, float32, "
                  "bf16, int8")
      ->capture_default_str();
  command.add_flag("--strict", options.strict,
                   "a key of the model's files that isn't known is an error, not a warning");
}

void warn(const std::string& message) {
  std::fputs(("embedforge: warning: " + message + "\n").c_str(), stderr);
}

void tell(const std::string& message) {
  std::fputs(("embedforge: " + message + "\n").c_str(), stderr);
}

EmbedderOptions options_of(const ModelFlags& flags) {
  EmbedderOptions options = flags.options;
  options.compute = compute_of(flags.compute);
  if (!flags.pooling.empty())  // last-token: as text-embeddings-inference calls it
    options.pooling = pooling_of(flags.pooling == "last-token" ? "last" : flags.pooling);
  options.onnxruntime.device = device_of(flags.device);
  if (!flags.gpu_mem_limit.empty())
    options.onnxruntime.gpu_mem_limit = bytes_of(flags.gpu_mem_limit);
  options.warn = warn;
  options.tell = tell;
  check_options(options, flag_of);
  return options;
}

Embedder load_model(const ModelFlags& flags) {
  return Embedder::load(flags.model, options_of(flags));
}

}  // namespace embedforge::app
