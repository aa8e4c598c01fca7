// One client for every provider of embeddings: models on this machine and servers.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "embedforge/embedder.h"

namespace embedforge {

struct ClientOptions {
  std::string provider = "native";  // one of backend_names()
  std::string model;
  std::string base_url, api_key;  // of a server; see ServerOptions
  double timeout = 60;
  int retries = 3;
  EmbedderOptions local;
};

struct EmbedOptions {
  bool normalize = true;
  size_t dimensions = 0;                // cut to this many, then normalize again; 0: all
  size_t batch_size = 0;                // texts a request; 0: what the provider takes
  std::string input_type = "document";  // or "query", where the model tells them apart
  std::string prompt_name;              // of the model's settings; not every provider has them
  std::optional<std::string> prompt;    // put before each text
};

/// Thread-safe.
class EmbeddingClient {
 public:
  /// Errors: those of Embedder::load.
  static EmbeddingClient open(const ClientOptions& options);

  /// One row a text, in order. Errors: kRemote with provider, URL and status.
  Matrix embed(std::span<const std::string_view> texts, const EmbedOptions& options = {}) const;
  Matrix embed(std::span<const std::string> texts, const EmbedOptions& options = {}) const;
  /// Of all calls together.
  Usage usage() const;

 private:
  explicit EmbeddingClient(Embedder embedder) : embedder_(std::move(embedder)) {}
  Embedder embedder_;
};

}  // namespace embedforge
