// Takes: the table of functions that a libonnxruntime gives out. Gives: those of them that are used
// here, typed. Never: declares more of ONNX Runtime than that.
//
// The C ABI (onnxruntime_c_api.h, OrtApiBase and OrtApi) is a struct of function pointers that only
// grows, so that a function's place in it is fixed for good; kVersion is the first that has all
// places used here (ONNX Runtime 1.11).
#pragma once

#include <cstddef>
#include <cstdint>

namespace embedforge::ort {

constexpr uint32_t kVersion = 11;
constexpr size_t kFunctions = 209;  // the places up to the last one that is used

// Opaque types of the library.
struct Status;
struct Env;
struct SessionOptions;
struct RawSession;
struct RunOptions;
struct Value;
struct MemoryInfo;
struct Allocator;
struct TypeInfo;
struct TensorInfo;
struct CudaOptions;
struct TensorRtOptions;

struct ApiBase {
  void* const* (*get_api)(uint32_t version);  // nullptr for a version that it doesn't know
  const char* (*get_version)();
};

// Values of the ABI's enumerations.
constexpr int kLogErrors = 3;                                     // ORT_LOGGING_LEVEL_ERROR
constexpr int kFloat = 1, kInt32 = 6, kInt64 = 7, kFloat16 = 10;  // tensor element types
constexpr int kArenaAllocator = 1, kDefaultMemory = 0;
constexpr int kLevelNone = 0, kLevelBasic = 1, kLevelExtended = 2, kLevelAll = 99;
constexpr int kParallel = 1;
constexpr int kInvalidArgument = 2, kNotImplemented = 9, kProviderFailed = 11;  // error codes

using Keys = const char* const*;

struct Api {
  int (*get_error_code)(const Status*);
  const char* (*get_error_message)(const Status*);
  Status* (*create_env)(int level, const char* name, Env** out);
  Status* (*create_session)(const Env*, const char* path, const SessionOptions*, RawSession** out);
  Status* (*run)(RawSession*, const RunOptions*, Keys input_names, const Value* const* inputs,
                 size_t input_count, Keys output_names, size_t output_count, Value** outputs);
  Status* (*create_session_options)(SessionOptions** out);
  Status* (*set_execution_mode)(SessionOptions*, int mode);
  Status* (*disable_mem_pattern)(SessionOptions*);
  Status* (*disable_cpu_mem_arena)(SessionOptions*);
  Status* (*set_graph_optimization_level)(SessionOptions*, int level);
  Status* (*set_intra_op_threads)(SessionOptions*, int count);
  Status* (*set_inter_op_threads)(SessionOptions*, int count);
  Status* (*input_count)(const RawSession*, size_t* out);
  Status* (*output_count)(const RawSession*, size_t* out);
  Status* (*input_type)(const RawSession*, size_t, TypeInfo** out);
  Status* (*output_type)(const RawSession*, size_t, TypeInfo** out);
  Status* (*input_name)(const RawSession*, size_t, Allocator*, char** out);
  Status* (*output_name)(const RawSession*, size_t, Allocator*, char** out);
  Status* (*create_tensor)(const MemoryInfo*, void* data, size_t bytes, const int64_t* shape,
                           size_t rank, int type, Value** out);
  Status* (*tensor_data)(Value*, void** out);
  Status* (*tensor_info_of_type)(const TypeInfo*, const TensorInfo** out);
  Status* (*element_type)(const TensorInfo*, int* out);
  Status* (*rank)(const TensorInfo*, size_t* out);
  Status* (*dimensions)(const TensorInfo*, int64_t* out, size_t rank);
  Status* (*tensor_info_of_value)(const Value*, TensorInfo** out);
  Status* (*create_cpu_memory_info)(int allocator, int memory, MemoryInfo** out);
  Status* (*allocator_free)(Allocator*, void*);
  Status* (*default_allocator)(Allocator** out);
  Status* (*available_providers)(char*** out, int* count);
  Status* (*release_available_providers)(char**, int count);
  Status* (*append_cuda)(SessionOptions*, const CudaOptions*);
  Status* (*create_cuda_options)(CudaOptions** out);
  Status* (*update_cuda_options)(CudaOptions*, Keys keys, Keys values, size_t count);
  Status* (*append_tensorrt)(SessionOptions*, const TensorRtOptions*);
  Status* (*create_tensorrt_options)(TensorRtOptions** out);
  Status* (*update_tensorrt_options)(TensorRtOptions*, Keys keys, Keys values, size_t count);
  void (*release_status)(Status*);
  void (*release_memory_info)(MemoryInfo*);
  void (*release_session)(RawSession*);
  void (*release_value)(Value*);
  void (*release_type_info)(TypeInfo*);
  void (*release_tensor_info)(TensorInfo*);
  void (*release_session_options)(SessionOptions*);
  void (*release_tensorrt_options)(TensorRtOptions*);
  void (*release_cuda_options)(CudaOptions*);
};

/// Calls visit(function pointer of `api`, its place in OrtApi) for each.
template <typename Visit>
void visit_places(Api& api, Visit visit) {
  visit(api.get_error_code, 1);
  visit(api.get_error_message, 2);
  visit(api.create_env, 3);
  visit(api.create_session, 7);
  visit(api.run, 9);
  visit(api.create_session_options, 10);
  visit(api.set_execution_mode, 13);
  visit(api.disable_mem_pattern, 17);
  visit(api.disable_cpu_mem_arena, 19);
  visit(api.set_graph_optimization_level, 23);
  visit(api.set_intra_op_threads, 24);
  visit(api.set_inter_op_threads, 25);
  visit(api.input_count, 30);
  visit(api.output_count, 31);
  visit(api.input_type, 33);
  visit(api.output_type, 34);
  visit(api.input_name, 36);
  visit(api.output_name, 37);
  visit(api.create_tensor, 49);
  visit(api.tensor_data, 51);
  visit(api.tensor_info_of_type, 55);
  visit(api.element_type, 60);
  visit(api.rank, 61);
  visit(api.dimensions, 62);
  visit(api.tensor_info_of_value, 65);
  visit(api.create_cpu_memory_info, 69);
  visit(api.allocator_free, 76);
  visit(api.default_allocator, 78);
  visit(api.release_status, 93);
  visit(api.release_memory_info, 94);
  visit(api.release_session, 95);
  visit(api.release_value, 96);
  visit(api.release_type_info, 98);
  visit(api.release_tensor_info, 99);
  visit(api.release_session_options, 100);
  visit(api.available_providers, 125);
  visit(api.release_available_providers, 126);
  visit(api.append_tensorrt, 170);
  visit(api.create_tensorrt_options, 171);
  visit(api.update_tensorrt_options, 172);
  visit(api.release_tensorrt_options, 174);
  visit(api.append_cuda, 204);
  visit(api.create_cuda_options, 205);
  visit(api.update_cuda_options, 206);
  visit(api.release_cuda_options, 208);
}

}  // namespace embedforge::ort
