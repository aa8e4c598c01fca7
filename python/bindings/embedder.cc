#include "embedforge/embedder.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arrays.h"
#include "bindings.h"
#include "embedforge/error.h"
#include "texts.h"

namespace embedforge::python {
namespace {

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a needs it

template <typename T>
T choice(const std::string& value, const std::map<std::string, T>& known, const std::string& name) {
  const auto found = known.find(value);
  if (found != known.end()) return found->second;
  std::string names;
  for (const auto& [key, ignored] : known) names += (names.empty() ? "" : ", ") + key;
  throw_usage(name + "=\"" + value + "\" is unknown; known are " + names);
}

/// Settings by the names of the fields of OnnxRuntimeOptions.
OnnxRuntimeOptions runtime_options(const nb::dict& settings) {
  OnnxRuntimeOptions options;
  for (const auto& [key, value] : settings) {
    const auto name = nb::cast<std::string>(key);
    const auto set = [&](auto& field) {
      if (!nb::try_cast(value, field))
        throw_usage("onnxruntime option " + name + " is of a wrong type");
    };
    if (name == "library") {
      set(options.library);
    } else if (name == "level") {
      set(options.level);
    } else if (name == "inter_op_threads") {
      set(options.inter_op_threads);
    } else if (name == "memory_pattern") {
      set(options.memory_pattern);
    } else if (name == "memory_arena") {
      set(options.memory_arena);
    } else if (name == "device_id") {
      set(options.device_id);
    } else if (name == "gpu_mem_limit") {
      set(options.gpu_mem_limit);
    } else if (name == "arena_extend_strategy") {
      set(options.arena_extend_strategy);
    } else if (name == "cudnn_conv_algo_search") {
      set(options.cudnn_conv_algo_search);
    } else if (name == "trt_max_workspace_size") {
      set(options.trt_max_workspace_size);
    } else if (name == "trt_fp16") {
      set(options.trt_fp16);
    } else if (name == "trt_engine_cache") {
      set(options.trt_engine_cache);
    } else {
      throw_usage(
          "onnxruntime option " + name +
          " is unknown; known are library, level, inter_op_threads, memory_pattern, memory_arena, "
          "arena_extend_strategy, cudnn_conv_algo_search, trt_max_workspace_size, trt_fp16 and "
          "trt_engine_cache");
    }
  }
  return options;
}

/// The embedder, and what isn't done as asked for.
std::pair<std::unique_ptr<Embedder>, std::vector<std::string>> load(
    const std::string& model, const std::string& file, const std::string& tokenizer,
    const std::string& backend, const std::string& device, int threads, int max_length,
    const std::optional<std::string>& pooling, const std::optional<std::string>& precision,
    const nb::dict& onnxruntime) {
  EmbedderOptions options;
  options.file = file;
  options.tokenizer = tokenizer;
  options.threads = threads;
  options.max_length = max_length;
  options.runtime = choice<Runtime>(
      backend, {{"native", Runtime::kNative}, {"onnxruntime", Runtime::kOnnxRuntime}}, "backend");
  options.onnxruntime = runtime_options(onnxruntime);
  options.onnxruntime.device = choice<Device>(
      device, {{"cpu", Device::kCpu}, {"cuda", Device::kCuda}, {"tensorrt", Device::kTensorRt}},
      "device");
  if (pooling) {
    options.pooling = choice<Pooling>(*pooling,
                                      {{"mean", Pooling::kMean},
                                       {"cls", Pooling::kCls},
                                       {"max", Pooling::kMax},
                                       {"last", Pooling::kLast},
                                       {"mean_sqrt_len", Pooling::kMeanSqrtLength},
                                       {"weightedmean", Pooling::kWeightedMean}},
                                      "pooling");
  }
  if (precision) {
    options.compute = choice<Compute>(*precision,
                                      {{"auto", Compute::kAuto},
                                       {"fp32", Compute::kFloat32},
                                       {"bf16", Compute::kBfloat16},
                                       {"int8", Compute::kInt8}},
                                      "precision");
  }
  std::vector<std::string> warnings;
  options.warn = [&](const std::string& message) { warnings.push_back(message); };
  std::unique_ptr<Embedder> embedder;
  {
    const nb::gil_scoped_release unlocked;
    embedder = std::make_unique<Embedder>(Embedder::load(model, options));
  }
  return {std::move(embedder), std::move(warnings)};
}

FloatArray encode(const Embedder& embedder, const nb::object& texts, size_t batch_size,
                  bool normalize, const std::string& prompt_name, const std::string& prompt,
                  size_t dimensions) {
  const Texts held(texts);
  const EncodeOptions options = {.normalize = normalize,
                                 .batch_size = batch_size,
                                 .prompt_name = prompt_name,
                                 .prompt = prompt,
                                 .dimensions = dimensions};
  auto result = std::make_unique<Matrix>();
  {
    const nb::gil_scoped_release unlocked;
    *result = embedder.encode(held.views(), options);
  }
  return to_array(std::move(result));
}

}  // namespace

void register_embedder(nb::module_& module) {
  nb::class_<TokenizedText>(module, "TokenizedText")
      .def_ro("ids", &TokenizedText::ids)
      .def_ro("tokens", &TokenizedText::tokens)
      .def_ro("offsets", &TokenizedText::offsets);
  nb::class_<EmbedderInfo>(module, "EmbedderInfo")
      .def_ro("model_path", &EmbedderInfo::model_path)
      .def_ro("runtime", &EmbedderInfo::runtime)
      .def_ro("providers", &EmbedderInfo::providers)
      .def_ro("inputs", &EmbedderInfo::inputs)
      .def_ro("outputs", &EmbedderInfo::outputs)
      .def_ro("pooling", &EmbedderInfo::pooling)
      .def_ro("dimension", &EmbedderInfo::dimension)
      .def_ro("max_length", &EmbedderInfo::max_length)
      .def_ro("threads", &EmbedderInfo::threads)
      .def_ro("prompts", &EmbedderInfo::prompts);
  nb::class_<Embedder>(module, "Embedder")
      .def_static("load", load, "model"_a, "file"_a, "tokenizer"_a, "backend"_a, "device"_a,
                  "threads"_a, "max_length"_a, "pooling"_a.none(), "precision"_a.none(),
                  "onnxruntime"_a)
      .def("encode", encode, "texts"_a, "batch_size"_a, "normalize"_a, "prompt_name"_a, "prompt"_a,
           "dimensions"_a)
      .def(
          "tokenize",
          [](const Embedder& embedder, std::string_view text) {
            const nb::gil_scoped_release unlocked;
            return embedder.tokenize(text);
          },
          "text"_a)
      .def(
          "count_tokens",
          [](const Embedder& embedder, std::string_view text) {
            const nb::gil_scoped_release unlocked;
            return embedder.count_tokens(text);
          },
          "text"_a)
      .def("info", &Embedder::info)
      .def_prop_ro("tokens_used", &Embedder::tokens_used);
}

}  // namespace embedforge::python
