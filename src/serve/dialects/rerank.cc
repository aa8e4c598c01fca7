// Reranking by Jina, Voyage, Cohere, vLLM and infinity, which share one shape; with `texts` it is
// that of text-embeddings-inference.
// https://api.jina.ai/redoc https://docs.voyageai.com/reference/reranker-api
// https://docs.cohere.com/reference/rerank
#include "serve/dialects/dialects.h"
#include "serve/dialects/parts.h"
#include "serve/dialects/tei.h"
#include "serve/json_writer.h"

namespace embedforge::serve::rerank {
namespace {

/// Bounds on documents alone: only what bounds nothing can be obeyed.
void refuse_document_bound(const Fields& fields, const ModelEntry& entry) {
  for (const char* name : {"max_tokens_per_doc", "max_chunks_per_doc"}) {
    const auto bound = fields.count(name);
    if (!bound || (entry.info.max_length > 0 && *bound >= entry.info.max_length)) continue;
    throw Failure(FailureKind::kValidation,
                  "`" + std::string(name) +
                      "` can't be obeyed here: leave it out (documents are cut at the model's " +
                      std::to_string(entry.info.max_length) + " tokens)",
                  name);
  }
  const Json* ranked = fields.find("rank_fields");
  if (ranked != nullptr && *ranked != Json::array({"text"})) {
    fail_field("rank_fields", "left out: a document's text is what is ranked", *ranked);
  }
}

Truncation take_cut(const Fields& fields) {
  Truncation cut;
  const Json* truncate = fields.find("truncate");
  if (truncate != nullptr && truncate->is_boolean()) cut.allowed = truncate->get<bool>();
  if (const auto other = fields.boolean("truncation")) cut.allowed = other;
  if (const Json* most = fields.find("truncate_prompt_tokens"); most != nullptr && *most != -1) {
    cut.max_tokens = fields.count("truncate_prompt_tokens").value_or(0);
    if (cut.max_tokens > 0) cut.allowed = true;
  }
  return cut;
}

/// A document is {"text": …}, or with `plain` its text alone.
std::string write_results(std::span<const float> scores, const std::vector<size_t>& order,
                          const std::vector<std::string>& documents, bool plain) {
  std::string list = "[";
  for (const size_t i : order) {
    if (list.size() > 1) list += ',';
    list += "{\"index\":" + std::to_string(i) + ",\"relevance_score\":";
    append_float(list, scores[i]);
    if (!documents.empty()) {
      list += plain ? ",\"document\":" : ",\"document\":{\"text\":";
      append_string(list, documents[i]);
      if (!plain) list += '}';
    }
    list += '}';
  }
  return list + "]";
}

/// `results` is what all but Voyage read, `data` is Voyage's.
std::string write_answer(const Answer& made, size_t top, const std::vector<std::string>& documents,
                         const std::string& model, const std::string& id) {
  const auto& scores = std::get<Scored>(made.content).scores.values;
  const std::vector<size_t> order = best_first(scores, top);
  const std::string tokens = std::to_string(made.tokens());
  std::string body = "{\"id\":";
  append_string(body, id);
  body += ",\"object\":\"rerank\",\"model\":";
  append_string(body, model);
  body += ",\"results\":" + write_results(scores, order, documents, false);
  body += ",\"data\":" + write_results(scores, order, documents, true);
  body += ",\"usage\":{\"prompt_tokens\":" + tokens + ",\"total_tokens\":" + tokens + "}";
  body += R"(,"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1},)";
  return body + "\"tokens\":{\"input_tokens\":" + tokens + "}}}";
}

Exchange take_documents(const Fields& fields, const Catalog& catalog, const std::string& id) {
  Exchange exchange;
  exchange.model = fields.take_string("model");
  const Entry entry = catalog.find(exchange.model, ModelKind::kReranker);
  const std::string query = take_text_or_object(fields.need("query", "a string"), "query");
  check_text(query, "query");
  Json& documents = fields.need("documents", "a list of strings (or `texts`)");
  if (!documents.is_array()) fail_field("documents", "a list of strings", documents);
  check_batch(documents.size(), "documents", catalog.settings());
  refuse_document_bound(fields, *entry);
  ScoreAsk ask;
  ask.raw = fields.boolean("raw_scores", false);
  ask.truncation = take_cut(fields);
  const bool shows = fields.boolean("return_documents", false);
  std::vector<std::string> shown;
  for (Json& document : documents) {
    std::string text = take_text_or_object(document, "documents");
    check_text(text, "documents");
    if (shows) shown.push_back(text);
    ask.inputs.emplace_back(query, std::move(text));
  }
  const auto top_k = fields.count("top_k");
  const size_t top = fields.count("top_n").value_or(top_k.value_or(0));
  exchange.ask = std::move(ask);
  exchange.write = [shown = std::move(shown), top, name = public_name(*entry, catalog),
                    id](const Answer& made) {
    return answer(write_answer(made, top, shown, name, id));
  };
  return exchange;
}

}  // namespace

Exchange rank(const Request& request, const Catalog& catalog) {
  Json body = parse_body(request, ContentType::kJsonOrNone);
  const Fields fields(body);
  if (fields.has("texts")) return tei::take_rerank(fields, catalog);
  return take_documents(fields, catalog, request.id);
}

/// `error` of text-embeddings-inference, `message` of Cohere, `detail` of Jina and Voyage.
Response fail(const Failure& failure) {
  OrderedJson body = tei::error_body(failure);
  body["message"] = failure.what();
  body["detail"] = failure.what();
  return fail_with(http_status(failure.kind()), to_text(body));
}

}  // namespace embedforge::serve::rerank
