// Takes: texts. Gives: their vectors as the model makes them. Never: normalizes, cuts or quantizes;
// the callers do, alike for every backend.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "embedforge/embedder.h"

namespace embedforge {

struct TextModel;

struct TextBatch {
  std::span<const std::string_view> texts;
  std::string_view prompt;  // put before each
  size_t batch_size = 32;   // texts that are run or sent at once; 0: the backend's own
  size_t first = 0;         // the first text's index in the caller's list, for messages
  std::string_view input_type = "document";  // or "query": some providers tell them apart
  std::string_view prompt_name;              // a prompt that the provider keeps (tei)
  size_t dimensions = 0;                     // a provider may cut to these itself; 0: all
};

/// The one replaceable edge. Thread-safe.
class Backend {
 public:
  virtual ~Backend() = default;
  /// One row a text.
  virtual Matrix embed(const TextBatch& batch) const = 0;
  /// Tokens that were counted over all calls (as the provider bills them, or the model ran them).
  virtual uint64_t tokens_used() const { return 0; }
  virtual uint64_t requests_made() const { return 0; }
};

/// A backend with the model on this machine.
class LocalBackend : public Backend {
 public:
  virtual const TextModel& model() const = 0;
  /// The whole info but for what the model folder says.
  virtual EmbedderInfo info() const = 0;
};

/// The providers that a client reaches over HTTP.
struct RemoteOptions {
  std::string provider;  // openai, tei, ollama, cohere, voyage
  std::string model;
  std::string base_url;  // "": the provider's environment variable, then its usual address
  std::string api_key;   // "": the provider's environment variable
  double timeout = 60;   // seconds of one request
  int retries = 3;
};

std::unique_ptr<LocalBackend> open_native(const std::string& model, const EmbedderOptions& options);
std::unique_ptr<LocalBackend> open_onnxruntime(const std::string& model,
                                               const EmbedderOptions& options);
std::unique_ptr<LocalBackend> open_local(const std::string& model, const EmbedderOptions& options);
/// Errors: kUsage for an unknown provider, kBadInput when it needs a key and none is set.
std::unique_ptr<Backend> open_remote(const RemoteOptions& options);
/// sentence-transformers in a Python process of its own. Errors: kNotSupported when Python or the
/// package is missing.
std::unique_ptr<Backend> open_torch(const std::string& model, const std::string& device,
                                    int max_length);

}  // namespace embedforge
