// Takes: tokens (models on this machine), or texts (sentence-transformers and servers, which keep
// their tokenizers to themselves). Gives: what the model makes of them. Never: cuts, quantizes or
// chooses a prompt; src/embed does, alike for every backend.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/threads.h"
#include "base/token_batch.h"
#include "embedforge/embedder.h"
#include "plan/program.h"

namespace embedforge {

/// What is wanted of a batch.
enum class Want {
  kPooled,  // one vector a sequence
  kTokens,  // one vector a token
  kScores,  // the logits of a cross-encoder, one row a sequence
};

struct PooledVectors {
  Matrix rows;  // [sequences, width]; zeros for an empty sequence
};
struct TokenVectors {
  Matrix rows;  // [tokens, width], in the order of the batch
};
struct Scores {
  Matrix rows;  // [sequences, labels]
};
using Result = std::variant<PooledVectors, TokenVectors, Scores>;

/// Who runs a network on this machine: the one replaceable edge. Thread-safe.
class TokenBackend {
 public:
  virtual ~TokenBackend() = default;
  /// What the file can give.
  virtual bool gives(Want want) const = 0;
  /// `batch_size`: sequences that are padded together at most, where there is padding. Errors:
  /// kBadInput for an id or a length beyond the model's tables.
  virtual Result run(const TokenBatch& batch, Want want, size_t batch_size) const = 0;
  /// Tokens of a sequence at most; 0: no bound.
  virtual size_t max_positions() const { return 0; }
  /// The whole info but for what the model folder says.
  virtual EmbedderInfo info() const = 0;
};

/// What makes vectors of token vectors of that width, as the model folder says (steps of
/// Program::head).
using MakeHead = std::function<std::vector<HeadStep>(size_t width)>;

/// Errors: kBadInput and kNotSupported naming the file, node or tensor. `pad`: the id that fills up
/// a batch.
/// `threads`: as many as the options say, shared with other models; nullptr: its own.
std::unique_ptr<TokenBackend> open_native(const std::filesystem::path& onnx,
                                          const EmbedderOptions& options, const MakeHead& head,
                                          const SharedThreads& threads = nullptr);
std::unique_ptr<TokenBackend> open_onnxruntime(const std::filesystem::path& onnx,
                                               const EmbedderOptions& options, const MakeHead& head,
                                               int64_t pad);

struct TextBatch {
  std::span<const std::string_view> texts;
  std::string_view prompt;  // put before each
  size_t batch_size = 32;   // texts that are run or sent at once; 0: the backend's own
  size_t first = 0;         // the first text's index in the caller's list, for messages
  std::string_view input_type = "document";  // or "query": some servers tell them apart
  std::string_view prompt_name;              // a prompt that the server keeps (tei)
};

/// Who takes texts. Thread-safe.
class TextBackend {
 public:
  virtual ~TextBackend() = default;
  /// One row a text.
  virtual Matrix embed(const TextBatch& batch) const = 0;
  /// What is known before the first vectors; dimension 0 where that isn't.
  virtual EmbedderInfo info() const = 0;
  /// Over all calls: tokens as the server counts them, or the model ran them.
  uint64_t tokens_used() const { return tokens_; }
  uint64_t requests_made() const { return requests_; }

 protected:
  void count(uint64_t requests, uint64_t tokens) const {
    requests_ += requests;
    tokens_ += tokens;
  }

 private:
  mutable std::atomic<uint64_t> tokens_ = 0, requests_ = 0;
};

/// Servers over HTTP: options.backend is openai, tei, ollama, cohere or voyage. Errors: kUsage
/// without a model's name, kBadInput when a key is needed and none is set.
std::unique_ptr<TextBackend> open_remote(const std::string& model, const EmbedderOptions& options);
/// sentence-transformers in a Python process of its own. Errors: kNotSupported when Python or the
/// package is missing.
std::unique_ptr<TextBackend> open_torch(const std::string& model, const EmbedderOptions& options);

}  // namespace embedforge
