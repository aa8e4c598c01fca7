// Weaviate's container of text2vec-transformers.
// https://github.com/weaviate/t2v-transformers-models
#include "serve/dialects/dialects.h"
#include "serve/dialects/parts.h"
#include "serve/json_writer.h"

namespace embedforge::serve::weaviate {
namespace {

/// Weaviate sends "masked_mean" unless its user says otherwise, whatever the model wants: the
/// model's own pooling is used then. "cls" is somebody's wish.
void check_pooling(const std::string& strategy, const ModelEntry& entry) {
  if (strategy.empty() || strategy == "masked_mean" || strategy == entry.info.pooling) return;
  throw Failure(FailureKind::kValidation,
                "`config.pooling_strategy` can't be obeyed: the model pools by " +
                    entry.info.pooling + ": leave it out",
                "config.pooling_strategy");
}

}  // namespace

Exchange live(const Request& /*request*/, const Catalog& /*catalog*/) {
  Response response;
  response.status = 204;
  Exchange exchange;
  exchange.ask = std::move(response);
  return exchange;
}

Exchange meta(const Request& /*request*/, const Catalog& catalog) {
  const Entry entry = catalog.find("", ModelKind::kEmbedding);
  Exchange exchange;
  exchange.ask = answer(to_text({{"model",
                                  {{"model_type", entry->architecture},
                                   {"hidden_size", entry->info.dimension},
                                   {"max_position_embeddings", entry->info.max_length}}},
                                 {"model_path", public_name(*entry, catalog)}}));
  return exchange;
}

Exchange vectors(const Request& request, const Catalog& catalog) {
  Json body = parse_body(request);
  const Fields fields(body);
  Exchange exchange;
  exchange.model = fields.take_string("model");
  const Entry entry = catalog.find(exchange.model, ModelKind::kEmbedding);
  std::string text = fields.need_string("text");
  check_text(text, "text");
  EmbedAsk ask;
  ask.normalize = entry->info.normalizes;  // as its container, where the model's modules say it
  if (const auto config = fields.object("config")) {
    check_pooling(config->take_string("pooling_strategy"), *entry);
    set_purpose(ask, config->take_string("task_type"), "config.task_type", *entry);
    ask.dimensions = checked_dimensions(config->count("dimensions"), "config.dimensions", *entry);
  }
  ask.inputs.emplace_back(text);
  exchange.ask = std::move(ask);
  exchange.write = [text = std::move(text)](const Answer& made) {
    const auto& embedded = std::get<Embedded>(made.content);
    std::string out = "{\"text\":";
    append_string(out, text);
    out += ",\"vector\":";
    append_floats(out, embedded.vectors.row(0));
    return answer(out + ",\"dim\":" + std::to_string(embedded.vectors.columns) + "}", embedded);
  };
  return exchange;
}

Response fail(const Failure& failure) {
  return fail_with(http_status(failure.kind()), to_text({{"error", failure.what()}}));
}

}  // namespace embedforge::serve::weaviate
