#include "model_flags.h"

#include <cstdio>
#include <map>
#include <memory>

#include "embedforge/client.h"
#include "embedforge/error.h"

namespace embedforge::app {
namespace {

const std::map<std::string, Pooling>& poolings() {
  static const std::map<std::string, Pooling> kByName = {
      {"mean", Pooling::kMean},
      {"cls", Pooling::kCls},
      {"max", Pooling::kMax},
      {"last", Pooling::kLast},
      {"mean_sqrt_len", Pooling::kMeanSqrtLength},
      {"weightedmean", Pooling::kWeightedMean}};
  return kByName;
}

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

/// A flag that would do nothing is refused.
void refuse(bool given, const char* flag, const ModelFlags& flags) {
  if (given) throw_usage(std::string(flag) + " has no meaning for --backend " + flags.backend);
}

EmbedderOptions local_options(const ModelFlags& flags) {
  EmbedderOptions options;
  options.file = flags.file;
  options.tokenizer = flags.tokenizer;
  options.compute = flags.compute;
  options.threads = flags.threads;
  options.max_length = flags.max_length;
  if (!flags.pooling.empty()) options.pooling = poolings().at(flags.pooling);
  options.onnxruntime.device = device_of(flags.device);
  options.onnxruntime.device_id = flags.device_id;
  if (!flags.gpu_mem_limit.empty())
    options.onnxruntime.gpu_mem_limit = bytes_of(flags.gpu_mem_limit);
  options.warn = [](const std::string& message) {
    std::fputs(("embedforge: warning: " + message + "\n").c_str(), stderr);
  };
  return options;
}

LoadedModel load_local(const ModelFlags& flags) {
  EmbedderOptions options;
  if (flags.backend == "onnxruntime") {
    options = local_options(flags);
    options.runtime = Runtime::kOnnxRuntime;
  } else {
    options = native_options(flags);
  }
  const auto embedder = std::make_shared<Embedder>(Embedder::load(flags.model, options));
  return {[embedder](std::span<const std::string> texts, const EncodeOptions& encode) {
            return embedder->encode(texts, encode);
          },
          embedder->dimension()};
}

LoadedModel load_client(const ModelFlags& flags) {
  refuse(!flags.file.empty(), "--file", flags);
  refuse(!flags.tokenizer.empty(), "--tokenizer", flags);
  refuse(!flags.pooling.empty(), "--pooling", flags);
  refuse(flags.threads != 0, "--threads", flags);
  refuse(flags.device_id != 0, "--device-id", flags);
  refuse(!flags.gpu_mem_limit.empty(), "--gpu-mem-limit", flags);
  refuse(flags.compute != Compute::kAuto, "--compute", flags);
  if (flags.backend != "torch") {
    refuse(flags.device != "cpu", "--device", flags);
    refuse(flags.max_length != 0, "--max-length", flags);
  } else {
    refuse(flags.device == "tensorrt", "--device tensorrt", flags);
    refuse(!flags.base_url.empty(), "--base-url", flags);
  }
  const auto client =
      std::make_shared<EmbeddingClient>(EmbeddingClient::open({.provider = flags.backend,
                                                               .model = flags.model,
                                                               .base_url = flags.base_url,
                                                               .local = local_options(flags)}));
  return {[client](std::span<const std::string> texts, const EncodeOptions& encode) {
    return client->embed(texts, {.normalize = encode.normalize,
                                 .dimensions = encode.dimensions,
                                 .batch_size = encode.batch_size,
                                 .prompt_name = encode.prompt_name,
                                 .prompt = encode.prompt});
  }};
}

}  // namespace

std::vector<std::string> backend_names() {
  return {"native", "onnxruntime", "torch", "openai", "tei", "ollama", "cohere", "voyage"};
}

void add_model_flags(CLI::App& command, ModelFlags& flags) {
  command
      .add_option("MODEL", flags.model,
                  "hub id, a folder, an .onnx file, or a server's name of a model")
      ->type_name("")
      ->required();
  command.add_option("--file", flags.file,
                     "the .onnx file within the folder (default: onnx/model.onnx)");
  command.add_option("--tokenizer", flags.tokenizer,
                     "folder with tokenizer.json (default: the model's)");
  command.add_option("--backend", flags.backend)
      ->check(CLI::IsMember(backend_names()))
      ->capture_default_str();
  command.add_option("--base-url", flags.base_url,
                     "of a server (default: OPENAI_BASE_URL and the like, then its usual address)");
  command.add_option("--device", flags.device)
      ->check(CLI::IsMember({"cpu", "cuda", "tensorrt"}))
      ->capture_default_str();
  command.add_option("--device-id", flags.device_id, "which GPU")->check(CLI::Range(0, 1024));
  command.add_option("--gpu-mem-limit", flags.gpu_mem_limit, "such as 2GB");
  command
      .add_option("--threads", flags.threads, "default: what affinity and container quota allow")
      ->check(CLI::Range(1, 1024));
  command
      .add_option("--max-length", flags.max_length, "tokens a text (default: as the model says)")
      ->check(CLI::Range(1, 1 << 20));
  command.add_option("--pooling", flags.pooling, "default: as the model says")
      ->check(CLI::IsMember({"mean", "cls", "max", "last", "mean_sqrt_len", "weightedmean"}));
}

EmbedderOptions native_options(const ModelFlags& flags) {
  if (flags.backend != "native") {
    throw_not_supported("--backend " + flags.backend +
                        " is not there for this command; use --backend native");
  }
  refuse(!flags.base_url.empty(), "--base-url", flags);
  refuse(flags.device_id != 0, "--device-id", flags);
  refuse(!flags.gpu_mem_limit.empty(), "--gpu-mem-limit", flags);
  return local_options(flags);
}

LoadedModel load_model(const ModelFlags& flags) {
  if (flags.backend != "native" && flags.backend != "onnxruntime") return load_client(flags);
  refuse(!flags.base_url.empty(), "--base-url", flags);
  refuse(flags.backend != "native" && flags.compute != Compute::kAuto, "--compute", flags);
  return load_local(flags);
}

}  // namespace embedforge::app
