#include "model_flags.h"

#include <map>

#include "embedforge/error.h"

namespace embedforge::app {
namespace {

const std::map<std::string, Pooling>& poolings() {
  static const std::map<std::string, Pooling> kByName = {{"mean", Pooling::kMean},
                                                         {"cls", Pooling::kCls},
                                                         {"max", Pooling::kMax},
                                                         {"last", Pooling::kLast}};
  return kByName;
}

void check_supported(const ModelFlags& flags) {
  if (flags.backend != "native") {
    throw_not_supported("--backend " + flags.backend +
                        " is not in this build; use --backend native");
  }
  if (flags.device != "cpu") {
    throw_not_supported("--device " + flags.device + " is not in this build; use --device cpu");
  }
  if (!flags.device_id.empty() || !flags.gpu_mem_limit.empty()) {
    throw_not_supported(
        "--device-id and --gpu-mem-limit are for GPUs, which this build doesn't use");
  }
}

}  // namespace

void add_model_flags(CLI::App& command, ModelFlags& flags) {
  command.add_option("MODEL", flags.model, "hub id, a folder, or an .onnx file")
      ->type_name("")
      ->required();
  command.add_option("--file", flags.file,
                     "the .onnx file within the folder (default: onnx/model.onnx)");
  command.add_option("--tokenizer", flags.tokenizer,
                     "folder with tokenizer.json (default: the model's)");
  command.add_option("--backend", flags.backend)
      ->check(CLI::IsMember({"native", "onnxruntime", "torch", "openai", "tei", "ollama"}))
      ->capture_default_str();
  command.add_option("--device", flags.device)
      ->check(CLI::IsMember({"cpu", "cuda", "tensorrt"}))
      ->capture_default_str();
  command.add_option("--device-id", flags.device_id, "which GPU");
  command.add_option("--gpu-mem-limit", flags.gpu_mem_limit, "such as 2GB");
  command
      .add_option("--threads", flags.threads, "default: what affinity and container quota allow")
      ->check(CLI::Range(1, 1024));
  command
      .add_option("--max-length", flags.max_length, "tokens a text (default: as the model says)")
      ->check(CLI::Range(1, 1 << 20));
  command.add_option("--pooling", flags.pooling, "default: as the model says")
      ->check(CLI::IsMember({"mean", "cls", "max", "last"}));
}

EmbedderOptions embedder_options(const ModelFlags& flags) {
  check_supported(flags);
  EmbedderOptions options;
  options.file = flags.file;
  options.tokenizer = flags.tokenizer;
  options.threads = flags.threads;
  options.max_length = flags.max_length;
  if (!flags.pooling.empty()) options.pooling = poolings().at(flags.pooling);
  return options;
}

Embedder load_embedder(const ModelFlags& flags) {
  return Embedder::load(flags.model, embedder_options(flags));
}

}  // namespace embedforge::app
