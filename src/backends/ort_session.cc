#include "backends/ort_session.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "embedforge/error.h"
#include "graph/choose_output.h"
#include "graph/tensor.h"

namespace embedforge::ort {
namespace {

using Warn = std::function<void(const std::string&)>;

int level_of(const std::string& name) {
  if (name == "none") return kLevelNone;
  if (name == "basic") return kLevelBasic;
  if (name == "extended") return kLevelExtended;
  if (name == "all") return kLevelAll;
  throw_usage("optimization level \"" + name +
              "\" is unknown; known are none, basic, extended, all");
}

void add(Provider& provider, const std::string& key, const std::string& value) {
  provider.keys.push_back(key);
  provider.values.push_back(value);
}

std::vector<const char*> pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> list;
  list.reserve(texts.size());
  for (const std::string& text : texts) list.push_back(text.c_str());
  return list;
}

/// Creates the provider's options, sets them and puts the provider into the session's list.
template <typename Options>
void append(const Api& api, SessionOptions* session, const Provider& provider,
            Status* (*create)(Options**), Status* (*update)(Options*, Keys, Keys, size_t),
            Status* (*append)(SessionOptions*, const Options*), void (*release)(Options*)) {
  Handle<Options> options(release);
  check(api, create(options.out()), provider.name);
  const std::vector<const char*> keys = pointers(provider.keys);
  const std::vector<const char*> values = pointers(provider.values);
  check(api, update(options.get(), keys.data(), values.data(), keys.size()), provider.name);
  check(api, append(session, options.get()), provider.name);
}

void append_provider(const Api& api, SessionOptions* session, const Provider& provider) {
  if (provider.name == "CUDAExecutionProvider") {
    append(api, session, provider, api.create_cuda_options, api.update_cuda_options,
           api.append_cuda, api.release_cuda_options);
  } else {
    append(api, session, provider, api.create_tensorrt_options, api.update_tensorrt_options,
           api.append_tensorrt, api.release_tensorrt_options);
  }
}

void say(const Warn& warn, const std::string& message) {
  if (warn) warn(message);
}

}  // namespace

std::vector<Provider> wanted_providers(const OnnxRuntimeOptions& options) {
  if (options.device == Device::kCpu) return {};
  const std::string id = std::to_string(options.device_id);
  Provider cuda{"CUDAExecutionProvider", {}, {}};
  add(cuda, "device_id", id);
  if (options.gpu_mem_limit > 0) add(cuda, "gpu_mem_limit", std::to_string(options.gpu_mem_limit));
  if (!options.arena_extend_strategy.empty())
    add(cuda, "arena_extend_strategy", options.arena_extend_strategy);
  if (!options.cudnn_conv_algo_search.empty())
    add(cuda, "cudnn_conv_algo_search", options.cudnn_conv_algo_search);
  if (options.device == Device::kCuda) return {cuda};
  Provider tensorrt{"TensorrtExecutionProvider", {}, {}};
  add(tensorrt, "device_id", id);
  if (options.trt_max_workspace_size > 0)
    add(tensorrt, "trt_max_workspace_size", std::to_string(options.trt_max_workspace_size));
  if (options.trt_fp16) add(tensorrt, "trt_fp16_enable", "1");
  if (!options.trt_engine_cache.empty()) {
    add(tensorrt, "trt_engine_cache_enable", "1");
    add(tensorrt, "trt_engine_cache_path", options.trt_engine_cache);
  }
  return {tensorrt, cuda};
}

Session::Session(const Library& library, const std::filesystem::path& onnx,
                 const OnnxRuntimeOptions& options, int threads, const Warn& warn,
                 const std::string& output_name)
    : library_(&library), file_(onnx.string()), session_(library.api.release_session) {
  open(options, threads, warn);
  read_inputs();
  find_output(output_name);
}

void Session::open(const OnnxRuntimeOptions& options, int threads, const Warn& warn) {
  const Api& api = library_->api;
  const std::vector<std::string> built_in = library_->providers();
  std::vector<Provider> wanted = wanted_providers(options);
  std::erase_if(wanted, [&](const Provider& p) {
    if (std::find(built_in.begin(), built_in.end(), p.name) != built_in.end()) return false;
    say(warn, p.name + " is not in " + library_->path + " (ONNX Runtime " + library_->version +
                  "); going on without it");
    return true;
  });
  while (true) {
    Handle<SessionOptions> settings(api.release_session_options);
    check(api, api.create_session_options(settings.out()), file_);
    check(api, api.set_graph_optimization_level(settings.get(), level_of(options.level)), file_);
    check(api, api.set_intra_op_threads(settings.get(), threads), file_);
    if (options.inter_op_threads > 1) {
      check(api, api.set_execution_mode(settings.get(), kParallel), file_);
      check(api, api.set_inter_op_threads(settings.get(), options.inter_op_threads), file_);
    }
    if (!options.memory_pattern) check(api, api.disable_mem_pattern(settings.get()), file_);
    if (!options.memory_arena) check(api, api.disable_cpu_mem_arena(settings.get()), file_);
    providers_.clear();
    std::erase_if(wanted, [&](const Provider& provider) {
      try {
        append_provider(api, settings.get(), provider);
        providers_.push_back(provider.name);
        return false;
      } catch (const Error& error) {
        say(warn, std::string(error.what()) + "; going on without it");
        return true;
      }
    });
    const size_t gpus = providers_.size();
    providers_.emplace_back("CPUExecutionProvider");
    try {
      check(api, api.create_session(library_->env, file_.c_str(), settings.get(), session_.out()),
            file_);
      return;
    } catch (const Error& error) {
      // A device may only turn out to be missing here. Without its provider it is the file.
      if (gpus == 0) throw;
      say(warn, std::string(error.what()) + "; going on without " + providers_.front());
      wanted.erase(wanted.begin());
    }
  }
}

void Session::read_inputs() {
  const Api& api = library_->api;
  Allocator* allocator = nullptr;
  check(api, api.default_allocator(&allocator), file_);
  const auto names = [&](auto count_of, auto name_of, std::vector<std::string>& out) {
    size_t count = 0;
    check(api, count_of(session_.get(), &count), file_);
    for (size_t i = 0; i < count; ++i) {
      char* name = nullptr;
      check(api, name_of(session_.get(), i, allocator, &name), file_);
      out.emplace_back(name);
      check(api, api.allocator_free(allocator, name), file_);
    }
  };
  names(api.input_count, api.input_name, inputs_);
  names(api.output_count, api.output_name, outputs_);
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const std::optional<InputRole> role = recognize::input_role(inputs_[i]);
    if (!role) {
      throw_not_supported(file_ + ": input \"" + inputs_[i] +
                          "\" is unknown; known are input_ids, attention_mask (input_mask), "
                          "token_type_ids (segment_ids) and position_ids");
    }
    roles_.push_back(*role);
    Handle<TypeInfo> type(api.release_type_info);
    check(api, api.input_type(session_.get(), i, type.out()), file_);
    const TensorInfo* tensor = nullptr;
    check(api, api.tensor_info_of_type(type.get(), &tensor), file_);
    int element = 0;
    if (tensor != nullptr) check(api, api.element_type(tensor, &element), file_);
    if (element != kInt64 && element != kInt32)
      throw_not_supported(file_ + ": input \"" + inputs_[i] +
                          "\" must be a tensor of int64 or int32");
    input_types_.push_back(element);
  }
}

void Session::find_output(const std::string& wanted) {
  const Api& api = library_->api;
  std::vector<OutputInfo> floats;
  std::vector<int64_t> last;  // sizes of their last axes; below 1: not said
  for (size_t i = 0; i < outputs_.size(); ++i) {
    Handle<TypeInfo> type(api.release_type_info);
    check(api, api.output_type(session_.get(), i, type.out()), file_);
    const TensorInfo* tensor = nullptr;
    check(api, api.tensor_info_of_type(type.get(), &tensor), file_);
    if (tensor == nullptr) continue;
    int element = 0;
    size_t rank = 0;
    check(api, api.element_type(tensor, &element), file_);
    check(api, api.rank(tensor, &rank), file_);
    if ((element != kFloat && element != kFloat16) || (rank != 2 && rank != 3)) continue;
    std::vector<int64_t> dims(rank);
    check(api, api.dimensions(tensor, dims.data(), rank), file_);
    floats.push_back({outputs_[i], rank});
    last.push_back(dims.back());
  }
  const size_t chosen = choose_output(floats, wanted, file_);
  output_ = floats[chosen].name;
  rank_ = floats[chosen].rank.value();
  if (last[chosen] > 0) {
    width_ = static_cast<size_t>(last[chosen]);
  } else {  // the file doesn't say: one token tells
    width_ = static_cast<size_t>(run({1, 1, {0}, {1}, {0}}).dims.back());
  }
}

Output Session::run(const PaddedBatch& batch) const {
  const Api& api = library_->api;
  Handle<MemoryInfo> memory(api.release_memory_info);
  check(api, api.create_cpu_memory_info(kArenaAllocator, kDefaultMemory, memory.out()), file_);
  const std::array<int64_t, 2> shape = {static_cast<int64_t>(batch.rows),
                                        static_cast<int64_t>(batch.columns)};
  std::vector<Handle<Value>> values;
  std::vector<std::vector<int64_t>> long_data(inputs_.size());
  std::vector<std::vector<int32_t>> int_data(inputs_.size());
  for (size_t i = 0; i < inputs_.size(); ++i) {
    std::vector<int64_t>& data = long_data[i];
    if (roles_[i] == InputRole::kTokenIds) {
      data = batch.ids;
    } else if (roles_[i] == InputRole::kMask) {
      data = batch.mask;
    } else if (roles_[i] == InputRole::kTokenTypes && !batch.types.empty()) {
      data = batch.types;
    } else {
      data.assign(batch.ids.size(), 0);
    }
    if (roles_[i] == InputRole::kPositions) {
      for (size_t r = 0; r < batch.rows; ++r) {
        const auto begin = data.begin() + static_cast<ptrdiff_t>(r * batch.columns);
        std::iota(begin, begin + static_cast<ptrdiff_t>(batch.columns), 0);
      }
    }
    void* bytes = data.data();
    size_t size = data.size() * sizeof(int64_t);
    if (input_types_[i] == kInt32) {
      int_data[i].assign(data.begin(), data.end());
      bytes = int_data[i].data();
      size /= 2;
    }
    values.emplace_back(api.release_value);
    check(api,
          api.create_tensor(memory.get(), bytes, size, shape.data(), 2, input_types_[i],
                            values.back().out()),
          file_);
  }
  std::vector<const Value*> raw;
  raw.reserve(values.size());
  for (const Handle<Value>& value : values) raw.push_back(value.get());
  const std::vector<const char*> names = pointers(inputs_);
  const char* output_name = output_.c_str();
  Handle<Value> result(api.release_value);
  check(api,
        api.run(session_.get(), nullptr, names.data(), raw.data(), raw.size(), &output_name, 1,
                result.out()),
        file_);

  Handle<TensorInfo> info(api.release_tensor_info);
  check(api, api.tensor_info_of_value(result.get(), info.out()), file_);
  size_t rank = 0;
  int element = 0;
  check(api, api.rank(info.get(), &rank), file_);
  check(api, api.element_type(info.get(), &element), file_);
  Output output;
  output.dims.resize(rank);
  check(api, api.dimensions(info.get(), output.dims.data(), rank), file_);
  const bool fits = rank == rank_ && output.dims[0] == shape[0] &&
                    (rank == 2 || output.dims[1] == shape[1]) && output.dims.back() > 0 &&
                    (width_ == 0 || output.dims.back() == static_cast<int64_t>(width_));
  if (!fits) throw_bad_input(file_ + ": output \"" + output_ + "\" has another shape than it says");
  void* data = nullptr;
  check(api, api.tensor_data(result.get(), &data), file_);
  size_t count = 1;
  for (const int64_t dim : output.dims) count *= static_cast<size_t>(dim);
  if (element == kFloat) {
    const auto* floats = static_cast<const float*>(data);
    output.values.assign(floats, floats + count);
  } else {
    const auto* halves = static_cast<const uint16_t*>(data);
    output.values.resize(count);
    std::transform(halves, halves + count, output.values.begin(), half_to_float);
  }
  return output;
}

}  // namespace embedforge::ort
