// One client for every provider of embeddings: models on this machine and servers.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "embedforge/embedder.h"

namespace embedforge {

struct ClientOptions {
  /// native, onnxruntime, torch (sentence-transformers in a Python process); openai and whatever
  /// speaks its protocol, tei, ollama, cohere, voyage.
  std::string provider = "native";
  std::string model;
  /// Of a server. "": OPENAI_BASE_URL, TEI_BASE_URL, OLLAMA_HOST, COHERE_BASE_URL, VOYAGE_BASE_URL,
  /// then the provider's usual address.
  std::string base_url;
  std::string api_key;  // "": OPENAI_API_KEY, TEI_API_KEY, COHERE_API_KEY, VOYAGE_API_KEY
  double timeout = 60;  // seconds of one request
  int retries = 3;      // after 429, 502, 503, 504 and broken connections
  EmbedderOptions local;
};

struct EmbedOptions {
  bool normalize = true;
  size_t dimensions = 0;                // cut to this many, then normalize again; 0: all
  size_t batch_size = 0;                // texts a request; 0: what the provider takes
  std::string input_type = "document";  // or "query", where the model tells them apart
  std::string prompt_name;              // of the model's settings; not every provider has them
  std::string prompt;                   // put before each text
};

struct Usage {
  uint64_t requests = 0;
  uint64_t texts = 0;
  uint64_t tokens = 0;  // as the provider counts them
};

/// Thread-safe.
class EmbeddingClient {
 public:
  /// Errors: kUsage (an unknown provider), kBadInput (no key), and those of Embedder::load.
  static EmbeddingClient open(const ClientOptions& options);

  EmbeddingClient(EmbeddingClient&&) noexcept;
  EmbeddingClient& operator=(EmbeddingClient&&) noexcept;
  ~EmbeddingClient();

  /// One row a text, in order. Errors: kRemote with provider, URL and status.
  Matrix embed(std::span<const std::string_view> texts, const EmbedOptions& options = {}) const;
  Matrix embed(std::span<const std::string> texts, const EmbedOptions& options = {}) const;
  /// Of all calls together.
  Usage usage() const;

 private:
  struct Impl;
  explicit EmbeddingClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace embedforge
