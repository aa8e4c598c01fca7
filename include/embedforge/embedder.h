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

/// Who may run a model: native (embedforge's engine), onnxruntime (the installed one), torch
/// (sentence-transformers in a Python process), and the servers openai (and whatever speaks its
/// protocol), tei, ollama, cohere, voyage.
std::vector<std::string> backend_names();

enum class Device { kCpu, kCuda, kTensorRt };

/// Of the backend onnxruntime (torch takes the device). Nothing here is needed for the CPU.
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

  bool operator==(const OnnxRuntimeOptions&) const = default;
};

/// Of the backends that are servers.
struct ServerOptions {
  /// "": OPENAI_BASE_URL, TEI_BASE_URL, OLLAMA_HOST, COHERE_BASE_URL, VOYAGE_BASE_URL, then the
  /// usual address.
  std::string base_url;
  std::string api_key;  // "": OPENAI_API_KEY, TEI_API_KEY, COHERE_API_KEY, VOYAGE_API_KEY
  double timeout = 60;  // seconds of one request
  int retries = 3;      // after 429, 502, 503, 504 and broken connections
};

struct EmbedderOptions {
  std::string backend = "native";  // one of backend_names()
  std::string file;  // the .onnx file within the model folder; "": onnx/model.onnx, then model.onnx
  std::string output_name;  // of the file's outputs, where several could be the embedding
  std::string tokenizer;    // a folder with tokenizer.json; "": the model folder
  int threads = 0;          // 0: what the processor's affinity and the container's quota allow
  int max_length = 0;       // tokens a text, special ones included; 0: as the model says
  std::optional<Pooling> pooling;    // nullopt: as the model says
  Compute compute = Compute::kAuto;  // of a float file, natively
  OnnxRuntimeOptions onnxruntime;
  ServerOptions server;
  std::string python;  // of the backend torch; "": EMBEDFORGE_PYTHON, then python3
  /// Told in one line what isn't done as asked for (an execution provider that can't be had, say),
  /// and which keys of the model's files nobody here knows.
  std::function<void(const std::string&)> warn;
  /// Told in one line what was made and kept: a checkpoint's conversion to ONNX, say.
  std::function<void(const std::string&)> tell;
  bool strict = false;  // a key that nobody knows is an error (kNotSupported)
};

struct EncodeOptions {
  bool normalize = true;              // L2
  size_t batch_size = 32;             // texts taken up (or sent) at once; 0: what the backend takes
  std::string prompt_name;            // of config_sentence_transformers.json
  std::optional<std::string> prompt;  // put before each text; wins over prompt_name
  size_t dimensions = 0;              // cut to this many, then normalize again; 0: all
};

/// What texts are for, where the model tells it apart: kQuery has the prompt named "query",
/// kDocument that named "document", "passage" or "corpus", and none (also not the model's default
/// one) where the model hasn't that; options that name one win. Servers are told.
enum class InputType { kNone, kQuery, kDocument };

struct Usage {
  uint64_t requests = 0;  // of a server; else batches
  uint64_t texts = 0;
  uint64_t tokens = 0;  // as the server counts them, or the model ran them
};

/// A text as the model sees it.
struct TokenizedText {
  std::vector<int32_t> ids;
  std::vector<std::string> tokens;
  std::vector<std::pair<uint32_t, uint32_t>> offsets;  // begin and end, in code points
};

/// Vectors of tokens, before pooling.
struct TokenEmbeddings {
  Matrix rows;                        // [tokens of all texts, width]
  std::vector<size_t> offsets = {0};  // text i has the rows [offsets[i], offsets[i + 1])
};

struct EmbedderInfo {
  std::string model_path;  // the .onnx file in use; "" where there is none
  std::string backend;     // "native", "onnxruntime 1.32.0", "openai"
  std::string
      compute;  // what most layers are computed in: "float32", "bf16", "int8"; "": not known
  std::vector<std::string> providers;        // of ONNX Runtime's names, first choice first
  std::vector<std::string> inputs, outputs;  // of the graph
  std::string pooling;                       // "mean"; "cls+mean" for a concatenation
  size_t dimension = 0;                      // 0: a server tells with its first vectors
  size_t max_length = 0;
  int threads = 0;
  std::map<std::string, std::string> prompts;
  std::string default_prompt_name;
  std::string similarity = "cosine";  // that the model was made for: or dot, euclidean, manhattan
  bool normalizes = false;            // its own modules give vectors of length 1
};

class Embedder {
 public:
  /// `model`: a hub id, a folder, an .onnx file, or a server's name of a model.
  /// Errors: kBadInput, kNotSupported; the message names the file, node, tensor or field. kUsage
  /// for an option that has no meaning for the backend; those of servers as kRemote.
  static Embedder load(const std::string& model, const EmbedderOptions& options = {});

  Embedder(Embedder&&) noexcept;
  Embedder& operator=(Embedder&&) noexcept;
  ~Embedder();

  /// One row a text, `dimension()` columns; an empty list gives a (0, d) matrix. Errors: kBadInput
  /// for invalid UTF-8 (the text's index); kUsage for an unknown prompt or too many dimensions.
  Matrix encode(std::span<const std::string_view> texts, const EncodeOptions& options = {},
                InputType type = InputType::kNone) const;
  Matrix encode(std::span<const std::string> texts, const EncodeOptions& options = {},
                InputType type = InputType::kNone) const;
  Matrix encode_query(std::span<const std::string> texts, const EncodeOptions& options = {}) const;
  Matrix encode_document(std::span<const std::string> texts,
                         const EncodeOptions& options = {}) const;

  /// A vector for each token that the model sees, special ones and the prompt's included; neither
  /// normalized nor cut. Errors: as encode(); kNotSupported where the backend or file has none.
  TokenEmbeddings encode_tokens(std::span<const std::string_view> texts,
                                const EncodeOptions& options = {},
                                InputType type = InputType::kNone) const;

  /// What encode() makes of a text before the model runs. Errors: kBadInput for invalid UTF-8;
  /// kNotSupported where the backend keeps its tokenizer to itself.
  TokenizedText tokenize(std::string_view text) const;
  /// The same without a cut at max_length(), special tokens or prompt.
  TokenizedText tokenize_whole(std::string_view text) const;
  /// Tokens of the whole text, also beyond max_length().
  size_t count_tokens(std::string_view text) const;

  EmbedderInfo info() const;
  Usage usage() const;       // of all calls together
  size_t dimension() const;  // a server is asked with a short text once
  size_t max_length() const;
  int threads() const;
  std::string model_path() const;  // the .onnx file in use

 private:
  struct Impl;
  explicit Embedder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace embedforge
