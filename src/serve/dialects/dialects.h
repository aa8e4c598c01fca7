// Takes: requests in the words of one API each. Gives: Exchanges, and failures in those words. One
// namespace and file a dialect; routes.cc says which path is whose.
#pragma once

#include "serve/catalog.h"
#include "serve/exchange.h"
#include "serve/message.h"

namespace embedforge::serve {

namespace tei {  // text-embeddings-inference
Exchange embed(const Request& request, const Catalog& catalog);
Exchange embed_all(const Request& request, const Catalog& catalog);
Exchange embed_sparse(const Request& request, const Catalog& catalog);
Exchange similarity(const Request& request, const Catalog& catalog);
Exchange predict(const Request& request, const Catalog& catalog);
Exchange tokenize(const Request& request, const Catalog& catalog);
Exchange decode(const Request& request, const Catalog& catalog);
Exchange vertex(const Request& request, const Catalog& catalog);
Exchange root(const Request& request, const Catalog& catalog);
Exchange info(const Request& request, const Catalog& catalog);
Response fail(const Failure& failure);
}  // namespace tei

namespace openai {  // with Jina's and Voyage's fields
Exchange embeddings(const Request& request, const Catalog& catalog);
Exchange models(const Request& request, const Catalog& catalog);
Exchange model(const Request& request, const Catalog& catalog);
Response fail(const Failure& failure);
}  // namespace openai

namespace rerank {  // text-embeddings-inference's with `texts`, else Jina's, Voyage's, Cohere's
Exchange rank(const Request& request, const Catalog& catalog);
Response fail(const Failure& failure);
}  // namespace rerank

namespace cohere {
Exchange embed(const Request& request, const Catalog& catalog);
Response fail(const Failure& failure);
}  // namespace cohere

namespace ollama {
Exchange embed(const Request& request, const Catalog& catalog);
Exchange embeddings(const Request& request, const Catalog& catalog);
Exchange tags(const Request& request, const Catalog& catalog);
Exchange show(const Request& request, const Catalog& catalog);
Exchange version(const Request& request, const Catalog& catalog);
Exchange ps(const Request& request, const Catalog& catalog);
Response fail(const Failure& failure);
}  // namespace ollama

namespace weaviate {  // the container of its module text2vec-transformers
Exchange live(const Request& request, const Catalog& catalog);
Exchange meta(const Request& request, const Catalog& catalog);
Exchange vectors(const Request& request, const Catalog& catalog);
Response fail(const Failure& failure);
}  // namespace weaviate

}  // namespace embedforge::serve
