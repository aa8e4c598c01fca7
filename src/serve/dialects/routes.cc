#include "serve/routes.h"

#include <algorithm>

#include "serve/dialects/dialects.h"

namespace embedforge::serve {
const std::vector<Route>& routes() {
  static const std::vector<Route> all = {
      {"POST", "/", "", tei::root, tei::fail},
      {"POST", "/invocations", "", tei::root, tei::fail},
      {"POST", "/vertex", "", tei::vertex, tei::fail},
      {"POST", "/embed", "embed", tei::embed, tei::fail},
      {"POST", "/embed_all", "embed_all", tei::embed_all, tei::fail},
      {"POST", "/embed_sparse", "embed_sparse", tei::embed_sparse, tei::fail},
      {"POST", "/similarity", "similarity", tei::similarity, tei::fail},
      {"POST", "/predict", "predict", tei::predict, tei::fail},
      {"POST", "/tokenize", "tokenize", tei::tokenize, tei::fail},
      {"POST", "/decode", "decode", tei::decode, tei::fail},
      {"GET", "/info", "", tei::info, tei::fail},

      {"POST", "/v1/embeddings", "embed", openai::embeddings, openai::fail},
      {"POST", "/embeddings", "embed", openai::embeddings, openai::fail},
      {"GET", "/v1/models", "", openai::models, openai::fail},
      {"GET", "/v1/models/{model}", "", openai::model, openai::fail},

      {"POST", "/rerank", "rerank", rerank::rank, rerank::fail},
      {"POST", "/reranking", "rerank", rerank::rank, rerank::fail},
      {"POST", "/v1/rerank", "rerank", rerank::rank, rerank::fail},
      {"POST", "/v1/reranking", "rerank", rerank::rank, rerank::fail},
      {"POST", "/v2/rerank", "rerank", rerank::rank, rerank::fail},

      {"POST", "/v2/embed", "embed", cohere::embed, cohere::fail},

      {"POST", "/api/embed", "embed", ollama::embed, ollama::fail},
      {"POST", "/api/embeddings", "embed", ollama::embeddings, ollama::fail},
      {"GET", "/api/tags", "", ollama::tags, ollama::fail},
      {"POST", "/api/show", "", ollama::show, ollama::fail},
      {"GET", "/api/version", "", ollama::version, ollama::fail},
      {"GET", "/api/ps", "", ollama::ps, ollama::fail},

      {"GET", "/.well-known/live", "live", weaviate::live, weaviate::fail},
      {"GET", "/.well-known/ready", "ready", weaviate::live, weaviate::fail},
      {"GET", "/meta", "", weaviate::meta, weaviate::fail},
      {"POST", "/vectors", "embed", weaviate::vectors, weaviate::fail},
      {"POST", "/vectors/", "embed", weaviate::vectors, weaviate::fail},
  };
  return all;
}

bool path_fits(const Route& route, std::string_view path) {
  const size_t open = route.path.find('{');
  if (open == std::string_view::npos) return route.path == path;
  return path.size() > open && path.starts_with(route.path.substr(0, open));
}

const Route* find_route(std::string_view method, std::string_view path) {
  if (method == "HEAD") method = "GET";
  const auto found = std::find_if(routes().begin(), routes().end(), [&](const Route& route) {
    return route.method == method && path_fits(route, path);
  });
  return found == routes().end() ? nullptr : &*found;
}

std::string allowed_methods(std::string_view path) {
  std::string methods;
  for (const Route& route : routes()) {
    if (!path_fits(route, path)) continue;
    if (!methods.empty()) methods += ", ";
    methods += route.method == "GET" ? "GET, HEAD" : route.method;
  }
  return methods;
}

Response fail_unknown(const Failure& failure) { return tei::fail(failure); }

}  // namespace embedforge::serve
