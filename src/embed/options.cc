#include "embed/options.h"

#include <algorithm>
#include <vector>

#include "embedforge/error.h"

namespace embedforge {
namespace {

enum Kind : unsigned { kNative = 1, kOnnxRuntime = 2, kTorch = 4, kServer = 8 };

struct KnownBackend {
  const char* name;
  Kind kind;
};
constexpr KnownBackend kBackends[] = {
    {"native", kNative}, {"onnxruntime", kOnnxRuntime}, {"torch", kTorch},   {"openai", kServer},
    {"tei", kServer},    {"ollama", kServer},           {"cohere", kServer}, {"voyage", kServer}};

struct Field {
  const char* name;
  bool given;
  unsigned kinds;  // that it has a meaning for
};

std::vector<Field> fields_of(const EmbedderOptions& o) {
  constexpr unsigned kLocal = kNative | kOnnxRuntime;
  OnnxRuntimeOptions others = o.onnxruntime;
  others.device = Device::kCpu;
  others.device_id = 0;
  others.gpu_mem_limit = 0;
  return {{"file", !o.file.empty(), kLocal},
          {"output_name", !o.output_name.empty(), kLocal},
          {"tokenizer", !o.tokenizer.empty(), kLocal},
          {"threads", o.threads != 0, kLocal},
          {"max_length", o.max_length != 0, kLocal | kTorch},
          {"pooling", o.pooling.has_value(), kLocal},
          {"compute", o.compute != Compute::kAuto, kNative},
          {"device", o.onnxruntime.device != Device::kCpu, kOnnxRuntime | kTorch},
          {"device_id", o.onnxruntime.device_id != 0, kOnnxRuntime},
          {"gpu_mem_limit", o.onnxruntime.gpu_mem_limit != 0, kOnnxRuntime},
          {"onnxruntime", others != OnnxRuntimeOptions{}, kOnnxRuntime},
          {"base_url", !o.server.base_url.empty(), kServer},
          {"api_key", !o.server.api_key.empty(), kServer}};
}

}  // namespace

std::vector<std::string> backend_names() {
  std::vector<std::string> names;
  for (const KnownBackend& each : kBackends) names.emplace_back(each.name);
  return names;
}

bool is_local_backend(const std::string& backend) {
  return backend == "native" || backend == "onnxruntime";
}

void check_options(const EmbedderOptions& options, const Spelling& spelling) {
  const auto* backend = std::ranges::find_if(
      kBackends, [&](const KnownBackend& each) { return options.backend == each.name; });
  const auto spelled = [&](const char* field) { return spelling ? spelling(field) : field; };
  if (backend == std::end(kBackends)) {
    std::string names;
    for (const KnownBackend& each : kBackends)
      names += (names.empty() ? "" : ", ") + std::string(each.name);
    throw_usage(spelled("backend") + " " + options.backend + " is unknown; known are " + names);
  }
  const auto refuse = [&](const std::string& what) {
    throw_usage(what + " has no meaning for " + spelled("backend") + " " + options.backend);
  };
  if (backend->kind == kNative && options.onnxruntime.device != Device::kCpu) {
    throw_not_supported(spelled("device") +
                        ": the native engine runs on the CPU only; for a GPU use " +
                        spelled("backend") + " onnxruntime");
  }
  for (const Field& field : fields_of(options)) {
    if (field.given && (field.kinds & backend->kind) == 0) refuse(spelled(field.name));
  }
  if (backend->kind == kTorch && options.onnxruntime.device == Device::kTensorRt)
    refuse(spelled("device") + " tensorrt");
}

}  // namespace embedforge
