#include "embedforge/embedder.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "arrays.h"
#include "bindings.h"
#include "embedforge/error.h"
#include "fields.h"
#include "tell.h"
#include "texts.h"

namespace embedforge::python {
namespace {

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a needs it

Device device_of(const std::string& name) {
  if (name == "cpu") return Device::kCpu;
  if (name == "cuda") return Device::kCuda;
  if (name == "tensorrt") return Device::kTensorRt;
  throw_usage("device=\"" + name + "\" is unknown; known are cpu, cuda, tensorrt");
}

/// Settings by the names of the fields of OnnxRuntimeOptions.
void take_onnxruntime(const nb::dict& settings, OnnxRuntimeOptions& options) {
  Fields fields(settings);
  fields.take("library", options.library);
  fields.take("level", options.level);
  fields.take("inter_op_threads", options.inter_op_threads);
  fields.take("memory_pattern", options.memory_pattern);
  fields.take("memory_arena", options.memory_arena);
  fields.take("arena_extend_strategy", options.arena_extend_strategy);
  fields.take("cudnn_conv_algo_search", options.cudnn_conv_algo_search);
  fields.take("trt_max_workspace_size", options.trt_max_workspace_size);
  fields.take("trt_fp16", options.trt_fp16);
  fields.take("trt_engine_cache", options.trt_engine_cache);
  fields.finish("onnxruntime option");
}

/// By the names of the fields of EmbedderOptions.
EmbedderOptions options_of(const nb::kwargs& given) {
  EmbedderOptions options;
  Fields fields(given);
  fields.take("backend", options.backend);
  fields.take("file", options.file);
  fields.take("output_name", options.output_name);
  fields.take("tokenizer", options.tokenizer);
  fields.take("threads", options.threads);
  fields.take("max_length", options.max_length);
  fields.take<std::string>("pooling", options.pooling, pooling_of);
  fields.take<std::string>("compute", options.compute, compute_of);
  nb::dict onnxruntime;
  fields.take("onnxruntime", onnxruntime);
  take_onnxruntime(onnxruntime, options.onnxruntime);
  fields.take<std::string>("device", options.onnxruntime.device, device_of);
  fields.take("device_id", options.onnxruntime.device_id);
  fields.take("gpu_mem_limit", options.onnxruntime.gpu_mem_limit);
  fields.take("base_url", options.server.base_url);
  fields.take("api_key", options.server.api_key);
  fields.take("timeout", options.server.timeout);
  fields.take("retries", options.server.retries);
  fields.take("python", options.python);
  fields.take("strict", options.strict);
  fields.finish("option");
  return options;
}

/// The embedder, and what isn't done as asked for.
std::pair<std::unique_ptr<Embedder>, std::vector<std::string>> load(const std::string& model,
                                                                    const nb::kwargs& given) {
  EmbedderOptions options = options_of(given);
  std::vector<std::string> warnings;
  options.warn = [&](const std::string& message) { warnings.push_back(message); };
  options.tell = tell_python;
  std::unique_ptr<Embedder> embedder;
  {
    const nb::gil_scoped_release unlocked;
    embedder = std::make_unique<Embedder>(Embedder::load(model, options));
  }
  return {std::move(embedder), std::move(warnings)};
}

InputType input_type_of(const std::string& name) {
  if (name == "query") return InputType::kQuery;
  if (name == "document") return InputType::kDocument;
  throw_usage("input_type=\"" + name + "\" is unknown; known are document, query");
}

/// By the names of the fields of EncodeOptions, and input_type.
FloatArray encode(const Embedder& embedder, const nb::object& texts, const nb::kwargs& given) {
  EncodeOptions options;
  InputType type = InputType::kNone;
  Fields fields(given);
  fields.take("batch_size", options.batch_size);
  fields.take("normalize", options.normalize);
  fields.take("prompt_name", options.prompt_name);
  fields.take<std::string>("prompt", options.prompt, std::identity());
  fields.take("dimensions", options.dimensions);
  fields.take<std::string>("input_type", type, input_type_of);
  fields.finish("option");
  const Texts held(texts);
  auto result = std::make_unique<Matrix>();
  {
    const nb::gil_scoped_release unlocked;
    *result = embedder.encode(held.views(), options, type);
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
      .def_ro("backend", &EmbedderInfo::backend)
      .def_ro("runtime", &EmbedderInfo::backend)  // its name until 0.1
      .def_ro("compute", &EmbedderInfo::compute)
      .def_ro("providers", &EmbedderInfo::providers)
      .def_ro("inputs", &EmbedderInfo::inputs)
      .def_ro("outputs", &EmbedderInfo::outputs)
      .def_ro("pooling", &EmbedderInfo::pooling)
      .def_ro("dimension", &EmbedderInfo::dimension)
      .def_ro("max_length", &EmbedderInfo::max_length)
      .def_ro("threads", &EmbedderInfo::threads)
      .def_ro("prompts", &EmbedderInfo::prompts);
  nb::class_<Embedder>(module, "Embedder")
      .def_static("load", load, "model"_a, "options"_a)
      .def("encode", encode, "texts"_a, "options"_a)
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
      .def("dimension",
           [](const Embedder& embedder) {
             const nb::gil_scoped_release unlocked;
             return embedder.dimension();
           })
      .def("usage", [](const Embedder& embedder) {
        const Usage usage = embedder.usage();
        return std::tuple(usage.requests, usage.texts, usage.tokens);
      });
}

}  // namespace embedforge::python
