// Text in, embeddings out. Thread-safe once loaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "embedforge/compute.h"
#include "embedforge/pooling.h"
#include "embedforge/vectors.h"

namespace embedforge {

/// Who runs the model: embedforge's engine, or the ONNX Runtime that is installed.
enum class Runtime { kNative, kOnnxRuntime };
enum class Device { kCpu, kCuda, kTensorRt };

/// Of the backend onnxruntime. Nothing here is needed for the CPU.
struct OnnxRuntimeOptions {
  /// libonnxruntime, or a folder that holds it. "": the environment variable ONNXRUNTIME_LIB, the
  /// system's library path, then the Python packages of the active environment.
  std::string library;
  std::string level = "all";   // graph optimization: none, basic, extended, all
  int inter_op_threads = 0;    // more than 1 runs independent branches in parallel
  bool memory_pattern = true;  // plans the memory of a shape once
  bool memory_arena = true;    // keeps freed memory for the next run
  Device device = Device::kCpu;
  int device_id = 0;
  // CUDA. "" and 0: as ONNX Runtime has it.
  uint64_t gpu_mem_limit = 0;          // bytes
  std::string arena_extend_strategy;   // kNextPowerOfTwo or kSameAsRequested
  std::string cudnn_conv_algo_search;  // EXHAUSTIVE, HEURISTIC or DEFAULT
  // TensorRT
  uint64_t trt_max_workspace_size = 0;  // bytes
  bool trt_fp16 = false;
  std::string trt_engine_cache;  // a folder for built engines; "": none are kept
};

struct EmbedderOptions {
  std::string file;  // the .onnx file within the model folder; "": onnx/model.onnx, then model.onnx
  std::string tokenizer;  // a folder with tokenizer.json; "": the model folder
  int threads = 0;        // 0: what the processor's affinity and the container's quota allow
  int max_length = 0;     // tokens a text, special ones included; 0: as the model says
  std::optional<Pooling> pooling;    // nullopt: as the model says
  Compute compute = Compute::kAuto;  // of a float file, natively
  Runtime runtime = Runtime::kNative;
  OnnxRuntimeOptions onnxruntime;
  /// Told in one line what isn't done as asked for: an execution provider that can't be had, say.
  std::function<void(const std::string&)> warn;
};

struct EncodeOptions {
  bool normalize = true;    // L2
  size_t batch_size = 32;   // texts taken up at once; natively the result doesn't depend on it
  std::string prompt_name;  // of config_sentence_transformers.json
  std::string prompt;       // put before each text; wins over prompt_name
  size_t dimensions = 0;    // cut to this many, then normalize again; 0: all
};

/// A text as the model sees it.
struct TokenizedText {
  std::vector<int32_t> ids;
  std::vector<std::string> tokens;
  std::vector<std::pair<uint32_t, uint32_t>> offsets;  // begin and end, in code points
};

struct EmbedderInfo {
  std::string model_path;                    // the .onnx file in use
  std::string runtime;                       // "native", or "onnxruntime 1.32.0"
  std::vector<std::string> providers;        // of ONNX Runtime's names, first choice first
  std::vector<std::string> inputs, outputs;  // of the graph
  std::string pooling;                       // "mean"; "cls+mean" for a concatenation
  size_t dimension = 0;
  size_t max_length = 0;
  int threads = 0;
  std::map<std::string, std::string> prompts;
};

class Embedder {
 public:
  /// `model`: a hub id that is in the local cache, a folder, or an .onnx file.
  /// Errors: kBadInput, kNotSupported; the message names the file, node, tensor or field.
  static Embedder load(const std::string& model, const EmbedderOptions& options = {});

  Embedder(Embedder&&) noexcept;
  Embedder& operator=(Embedder&&) noexcept;
  ~Embedder();

  /// One row a text, `dimension()` columns; an empty list gives a (0, d) matrix. Errors: kBadInput
  /// for invalid UTF-8 (the text's index); kUsage for an unknown prompt or too many dimensions.
  Matrix encode(std::span<const std::string_view> texts, const EncodeOptions& options = {}) const;
  Matrix encode(std::span<const std::string> texts, const EncodeOptions& options = {}) const;
  /// With the model's prompt named "query", or "document", "passage" or "corpus", if it has one and
  /// the options name none.
  Matrix encode_query(std::span<const std::string> texts, EncodeOptions options = {}) const;
  Matrix encode_document(std::span<const std::string> texts, EncodeOptions options = {}) const;

  /// What encode() makes of a text before the model runs. Errors: kBadInput for invalid UTF-8.
  TokenizedText tokenize(std::string_view text) const;
  /// Tokens of the whole text, also beyond max_length().
  size_t count_tokens(std::string_view text) const;

  EmbedderInfo info() const;
  uint64_t tokens_used() const;  // that all calls together have run
  size_t dimension() const;
  size_t max_length() const;
  int threads() const;
  std::string model_path() const;  // the .onnx file in use

 private:
  struct Impl;
  explicit Embedder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace embedforge
