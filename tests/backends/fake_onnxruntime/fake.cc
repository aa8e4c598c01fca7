// A stand-in for libonnxruntime that writes down what is asked of it, a line each, into the file
// FAKE_ORT_LOG. FAKE_ORT_PROVIDERS lists what it claims to be built with; FAKE_ORT_FAIL names a
// provider that can't be appended, or "session" for a device that is missing when one is opened.
// Its model gives every token four values: the id, the mask, the type and the position's column.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "backends/ort_api.h"

namespace embedforge::ort {

struct Status {
  int code;
  std::string message;
};
struct Env {};
struct SessionOptions {
  bool gpu = false;
};
struct RawSession {};
struct MemoryInfo {};
struct Allocator {};
struct TypeInfo {
  bool output;
};
struct TensorInfo {
  int type;
  std::vector<int64_t> dims;
};
struct Value {
  const int64_t* data = nullptr;
  std::vector<int64_t> dims;
  std::vector<float> floats;
};
struct CudaOptions {
  std::string text;
};
struct TensorRtOptions {
  std::string text;
};

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

void record(const std::string& line) {
  std::ofstream(environment("FAKE_ORT_LOG"), std::ios::app) << line << '\n';
}

Status* fail(const std::string& message) { return new Status{kProviderFailed, message}; }

template <typename T>
Status* make(T** out) {
  *out = new T();
  return nullptr;
}

template <typename T>
void release(T* pointer) {
  record("release");
  delete pointer;
}

template <typename Options>
Status* update(Options* options, Keys keys, Keys values, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (std::strcmp(keys[i], "cudnn_conv_algo_search") == 0 && std::strcmp(values[i], "BAD") == 0)
      return fail("unknown value BAD");
    options->text += std::string(" ") + keys[i] + "=" + values[i];
  }
  return nullptr;
}

template <typename Options>
Status* append(SessionOptions* session, const Options* options, const std::string& name) {
  if (environment("FAKE_ORT_FAIL") == name) return fail("libcudart.so.13: cannot open");
  record("append " + name + options->text);
  session->gpu = true;
  return nullptr;
}

Status* run(RawSession*, const RunOptions*, Keys names, const Value* const* inputs, size_t count,
            Keys output_names, size_t, Value** outputs) {
  record(std::string("run ") + output_names[0]);
  auto* out = new Value();
  out->dims = {inputs[0]->dims[0], inputs[0]->dims[1], 4};
  const auto tokens = static_cast<size_t>(out->dims[0] * out->dims[1]);
  out->floats.resize(tokens * 4);
  for (size_t t = 0; t < tokens; ++t) {
    for (size_t i = 0; i < count; ++i) {
      const size_t place = std::strcmp(names[i], "input_ids") == 0        ? 0
                           : std::strcmp(names[i], "attention_mask") == 0 ? 1
                                                                          : 2;
      out->floats[4 * t + place] = static_cast<float>(inputs[i]->data[t]);
    }
    out->floats[4 * t + 3] = static_cast<float>(t % static_cast<size_t>(out->dims[1]));
  }
  *outputs = out;
  return nullptr;
}

Status* name_of(const char* const* names, size_t i, char** out) {
  *out = strdup(names[i]);
  return nullptr;
}

constexpr const char* kInputs[] = {"input_ids", "attention_mask", "token_type_ids"};
constexpr const char* kOutputs[] = {"last_hidden_state", "pooler_output"};

Api functions() {
  Api api{};
  api.get_error_code = [](const Status* s) { return s->code; };
  api.get_error_message = [](const Status* s) { return s->message.c_str(); };
  api.create_env = [](int, const char*, Env** out) -> Status* {
    static Env env;  // one a process, as ONNX Runtime's
    *out = &env;
    return nullptr;
  };
  api.create_session = [](const Env*, const char* path, const SessionOptions* options,
                          RawSession** out) -> Status* {
    record(std::string("session ") + path);
    if (std::strstr(path, "damaged") != nullptr) return new Status{7, "Protobuf parsing failed."};
    if (options->gpu && environment("FAKE_ORT_FAIL") == "session") return fail("no device");
    return make(out);
  };
  api.run = run;
  api.create_session_options = [](SessionOptions** out) { return make(out); };
  api.set_execution_mode = [](SessionOptions*, int mode) -> Status* {
    record("mode " + std::to_string(mode));
    return nullptr;
  };
  api.disable_mem_pattern = [](SessionOptions*) -> Status* {
    record("no pattern");
    return nullptr;
  };
  api.disable_cpu_mem_arena = [](SessionOptions*) -> Status* {
    record("no arena");
    return nullptr;
  };
  api.set_graph_optimization_level = [](SessionOptions*, int level) -> Status* {
    record("level " + std::to_string(level));
    return nullptr;
  };
  api.set_intra_op_threads = [](SessionOptions*, int count) -> Status* {
    record("intra " + std::to_string(count));
    return nullptr;
  };
  api.set_inter_op_threads = [](SessionOptions*, int count) -> Status* {
    record("inter " + std::to_string(count));
    return nullptr;
  };
  api.input_count = [](const RawSession*, size_t* out) -> Status* {
    *out = std::size(kInputs);
    return nullptr;
  };
  api.output_count = [](const RawSession*, size_t* out) -> Status* {
    *out = std::size(kOutputs);
    return nullptr;
  };
  api.input_type = [](const RawSession*, size_t, TypeInfo** out) -> Status* {
    *out = new TypeInfo{false};
    return nullptr;
  };
  api.output_type = [](const RawSession*, size_t i, TypeInfo** out) -> Status* {
    *out = new TypeInfo{i == 0};
    return nullptr;
  };
  api.input_name = [](const RawSession*, size_t i, Allocator*, char** out) {
    return name_of(kInputs, i, out);
  };
  api.output_name = [](const RawSession*, size_t i, Allocator*, char** out) {
    return name_of(kOutputs, i, out);
  };
  api.create_tensor = [](const MemoryInfo*, void* data, size_t, const int64_t* shape, size_t rank,
                         int, Value** out) -> Status* {
    *out = new Value{static_cast<const int64_t*>(data), {shape, shape + rank}, {}};
    return nullptr;
  };
  api.tensor_data = [](Value* value, void** out) -> Status* {
    *out = value->floats.data();
    return nullptr;
  };
  api.tensor_info_of_type = [](const TypeInfo* type, const TensorInfo** out) -> Status* {
    static const TensorInfo kIds{kInt64, {-1, -1}};
    static const TensorInfo kHidden{kFloat, {-1, -1, 4}};
    *out = type->output ? &kHidden : &kIds;
    return nullptr;
  };
  api.element_type = [](const TensorInfo* info, int* out) -> Status* {
    *out = info->type;
    return nullptr;
  };
  api.rank = [](const TensorInfo* info, size_t* out) -> Status* {
    *out = info->dims.size();
    return nullptr;
  };
  api.dimensions = [](const TensorInfo* info, int64_t* out, size_t rank) -> Status* {
    std::memcpy(out, info->dims.data(), rank * sizeof(int64_t));
    return nullptr;
  };
  api.tensor_info_of_value = [](const Value* value, TensorInfo** out) -> Status* {
    *out = new TensorInfo{kFloat, value->dims};
    return nullptr;
  };
  api.create_cpu_memory_info = [](int, int, MemoryInfo** out) { return make(out); };
  api.allocator_free = [](Allocator*, void* data) -> Status* {
    std::free(data);
    return nullptr;
  };
  api.default_allocator = [](Allocator** out) -> Status* {
    static Allocator allocator;
    *out = &allocator;
    return nullptr;
  };
  api.available_providers = [](char*** out, int* count) -> Status* {
    std::istringstream names(environment("FAKE_ORT_PROVIDERS"));
    std::vector<char*> list;
    for (std::string name; names >> name;) list.push_back(strdup(name.c_str()));
    *count = static_cast<int>(list.size());
    *out = new char*[list.size() + 1];
    std::ranges::copy(list, *out);
    return nullptr;
  };
  api.release_available_providers = [](char** names, int count) -> Status* {
    for (int i = 0; i < count; ++i) std::free(names[i]);
    delete[] names;
    return nullptr;
  };
  api.create_cuda_options = [](CudaOptions** out) { return make(out); };
  api.update_cuda_options = update<CudaOptions>;
  api.append_cuda = [](SessionOptions* session, const CudaOptions* options) {
    return append(session, options, "CUDAExecutionProvider");
  };
  api.create_tensorrt_options = [](TensorRtOptions** out) { return make(out); };
  api.update_tensorrt_options = update<TensorRtOptions>;
  api.append_tensorrt = [](SessionOptions* session, const TensorRtOptions* options) {
    return append(session, options, "TensorrtExecutionProvider");
  };
  api.release_status = [](Status* s) { delete s; };
  api.release_memory_info = [](MemoryInfo* m) { delete m; };
  api.release_session = release<RawSession>;
  api.release_value = [](Value* v) { delete v; };
  api.release_type_info = [](TypeInfo* t) { delete t; };
  api.release_tensor_info = [](TensorInfo* t) { delete t; };
  api.release_session_options = [](SessionOptions* s) { delete s; };
  api.release_cuda_options = [](CudaOptions* o) { delete o; };
  api.release_tensorrt_options = [](TensorRtOptions* o) { delete o; };
  return api;
}

void* const* table_of(uint32_t version) {
  static std::vector<void*> table;
  if (version > kVersion) return nullptr;
  table.assign(kFunctions, nullptr);
  Api api = functions();
  visit_places(
      api, [&](auto& function, size_t place) { table[place] = reinterpret_cast<void*>(function); });
  return table.data();
}

const char* version_of() { return "1.99.0-fake"; }

}  // namespace
}  // namespace embedforge::ort

extern "C" const embedforge::ort::ApiBase* OrtGetApiBase() {
  static const embedforge::ort::ApiBase kBase{embedforge::ort::table_of,
                                              embedforge::ort::version_of};
  return &kBase;
}
