// The public EmbeddingClient: an Embedder under the names that users of providers know.
#include "embedforge/client.h"

#include "embedforge/error.h"

namespace embedforge {

EmbeddingClient EmbeddingClient::open(const ClientOptions& options) {
  EmbedderOptions local = options.local;
  local.backend = options.provider;
  local.server = {options.base_url, options.api_key, options.timeout, options.retries};
  return EmbeddingClient(Embedder::load(options.model, local));
}

Matrix EmbeddingClient::embed(std::span<const std::string_view> texts,
                              const EmbedOptions& options) const {
  if (options.input_type != "document" && options.input_type != "query")
    throw_usage("input_type \"" + options.input_type + "\" is unknown; known are document, query");
  const InputType type = options.input_type == "query" ? InputType::kQuery : InputType::kDocument;
  return embedder_.encode(texts,
                          {.normalize = options.normalize,
                           .batch_size = options.batch_size,
                           .prompt_name = options.prompt_name,
                           .prompt = options.prompt,
                           .dimensions = options.dimensions},
                          type);
}

Matrix EmbeddingClient::embed(std::span<const std::string> texts,
                              const EmbedOptions& options) const {
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  return embed(std::span<const std::string_view>(views), options);
}

Usage EmbeddingClient::usage() const { return embedder_.usage(); }

}  // namespace embedforge
