#include "embedder_options.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <functional>
#include <string>

#include "embedforge/error.h"
#include "fields.h"

namespace embedforge::python {
namespace {

namespace nb = nanobind;

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

}  // namespace

EmbedderOptions embedder_options(const nb::kwargs& given) {
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

}  // namespace embedforge::python
