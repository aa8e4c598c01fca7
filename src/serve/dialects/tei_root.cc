// text-embeddings-inference: routes whose meaning the body or the model decides, and /info.
#include <algorithm>
#include <utility>

#include "embedforge/version.h"
#include "serve/dialects/tei.h"

namespace embedforge::serve::tei {
namespace {

ModelKind first_kind(const std::string& model, const Catalog& catalog) {
  const auto models = catalog.models();
  const ModelKind kind = models.empty() ? ModelKind::kEmbedding : models.front()->kind;
  return model.empty() ? kind : catalog.find(model, kind)->kind;
}

/// Query and texts: rerank; an object as inputs: similarity; else what the model is for.
Exchange take_any(const Fields& fields, const Catalog& catalog) {
  if (fields.has("query") && fields.has("texts")) return take_rerank(fields, catalog);
  const Json* inputs = fields.find("inputs");
  if (inputs != nullptr && inputs->is_object()) return take_similarity(fields, catalog);
  const Json* model = fields.find("model");
  const std::string name = model != nullptr && model->is_string() ? model->get<std::string>() : "";
  const ModelKind kind = first_kind(name, catalog);
  if (kind == ModelKind::kReranker) {
    if (!fields.has("query")) fail_missing("query", "a string (the model is a reranker)");
    fail_missing("texts", "a list of strings (the model is a reranker)");
  }
  return kind == ModelKind::kClassifier ? take_predict(fields, catalog)
                                        : take_embed(fields, catalog);
}

[[noreturn]] void fail_instances(const std::string& why) {
  throw Failure(FailureKind::kValidation, "`instances` " + why, "instances");
}

bool same_truncation(const Truncation& a, const Truncation& b) {
  return a.allowed == b.allowed && a.side == b.side && a.max_tokens == b.max_tokens;
}

bool same_options(const EmbedAsk& a, const EmbedAsk& b) {
  return same_truncation(a.truncation, b.truncation) && a.normalize == b.normalize &&
         a.dimensions == b.dimensions && a.prompt_name == b.prompt_name;
}

bool same_options(const ScoreAsk& a, const ScoreAsk& b) {
  return same_truncation(a.truncation, b.truncation) && a.raw == b.raw && a.reranks == b.reranks;
}

/// An instance's part of an answer to all instances.
Answer part_of(const Answer& whole, size_t begin, size_t end) {
  const auto rows = [&](const Matrix& from) {
    const auto* first = from.values.data() + begin * from.columns;
    return Matrix{end - begin, from.columns, {first, first + (end - begin) * from.columns}};
  };
  Answer part;
  part.model = whole.model;
  if (const auto* embedded = std::get_if<Embedded>(&whole.content)) {
    Embedded own;
    own.vectors = rows(embedded->vectors);
    part.content = std::move(own);
  } else {
    Scored own;
    own.scores = rows(std::get<Scored>(whole.content).scores);
    part.content = std::move(own);
  }
  return part;
}

/// Why the first input of an instance failed; "": none did.
std::string failure_of(const Answer& whole, size_t begin, size_t end) {
  const auto* embedded = std::get_if<Embedded>(&whole.content);
  if (embedded == nullptr || embedded->failed.empty()) return "";
  const auto from = embedded->failed.begin();
  const auto found = std::find_if(from + static_cast<std::ptrdiff_t>(begin),
                                  from + static_cast<std::ptrdiff_t>(end),
                                  [](const std::string& why) { return !why.empty(); });
  return found == from + static_cast<std::ptrdiff_t>(end) ? "" : *found;
}

/// How an instance is answered; without `write` it was refused: by `empty`.
struct InstanceWriter {
  std::function<Response(const Answer&)> write;
  std::string empty;

  std::string answer(const Answer& whole, size_t begin, size_t end) const {
    if (!write) return to_text(error_body(Failure(FailureKind::kEmpty, empty)));
    const std::string why = failure_of(whole, begin, end);
    if (!why.empty()) return to_text(error_body(Failure(FailureKind::kValidation, why)));
    return write(part_of(whole, begin, end)).body;
  }
};

struct Instance {
  Exchange exchange;
  InstanceWriter writer;
};

/// An empty input fails alone.
Instance take_instance(const Fields& fields, const Catalog& catalog) {
  const Json* inputs = fields.find("inputs");
  if (inputs != nullptr && inputs->is_object()) fail_instances("can't ask for similarity");
  Instance instance;
  try {
    instance.exchange = take_any(fields, catalog);
    instance.writer.write = std::move(instance.exchange.write);
  } catch (const Failure& failure) {
    if (failure.kind() != FailureKind::kEmpty) throw;
    instance.writer.empty = failure.what();
  }
  return instance;
}

/// Adds an instance's inputs to those before; false where it asks for something else than they do.
bool add_instance(Ask& all, Ask& one) {
  const auto add = [](auto& to, auto& from) {
    if (!same_options(to, from)) return false;
    std::move(from.inputs.begin(), from.inputs.end(), std::back_inserter(to.inputs));
    return true;
  };
  if (auto* embeds = std::get_if<EmbedAsk>(&all)) {
    auto* more = std::get_if<EmbedAsk>(&one);
    return more != nullptr && add(*embeds, *more);
  }
  auto* more = std::get_if<ScoreAsk>(&one);
  return more != nullptr && add(std::get<ScoreAsk>(all), *more);
}

size_t inputs_of(const Ask& ask) {
  const auto* embeds = std::get_if<EmbedAsk>(&ask);
  return embeds != nullptr ? embeds->inputs.size() : std::get<ScoreAsk>(ask).inputs.size();
}

OrderedJson model_type(const ModelEntry& entry) {
  if (entry.kind == ModelKind::kEmbedding) {
    return {{"embedding", {{"pooling", entry.info.pooling}}}};
  }
  OrderedJson names = OrderedJson::object();
  OrderedJson numbers = OrderedJson::object();
  for (size_t i = 0; i < entry.labels.size(); ++i) {
    names[std::to_string(i)] = entry.labels[i];
    numbers[entry.labels[i]] = i;
  }
  return {{entry.kind == ModelKind::kReranker ? "reranker" : "classifier",
           {{"id2label", names}, {"label2id", numbers}}}};
}

}  // namespace

Exchange root(const Request& request, const Catalog& catalog) {
  Json body = parse_body(request);
  return take_any(Fields(body), catalog);
}

Exchange vertex(const Request& request, const Catalog& catalog) {
  Json body = parse_body(request);
  Json& instances = Fields(body).need("instances", "a list of objects");
  if (!instances.is_array()) fail_field("instances", "a list of objects", instances);
  if (instances.empty()) check_text("", "instances");
  Exchange all;
  std::vector<size_t> offsets = {0};
  std::vector<InstanceWriter> writers;
  bool first = true;
  for (Json& instance : instances) {
    const std::string name = "instances[" + std::to_string(writers.size()) + "].";
    Instance one = take_instance(Fields(instance, name), catalog);
    writers.push_back(std::move(one.writer));
    if (!writers.back().write) {
      offsets.push_back(offsets.back());
      continue;
    }
    if (std::exchange(first, false)) {
      all.model = one.exchange.model;
      all.ask = std::move(one.exchange.ask);
    } else if (one.exchange.model != all.model || !add_instance(all.ask, one.exchange.ask)) {
      fail_instances("must all ask for the same with the same options");
    }
    offsets.push_back(inputs_of(all.ask));
  }
  check_batch(offsets.back(), "instances", catalog.settings());  // refuses those without any input
  if (auto* embeds = std::get_if<EmbedAsk>(&all.ask)) embeds->fail_alone = true;
  all.write = [offsets = std::move(offsets), writers = std::move(writers)](const Answer& made) {
    std::string text = "{\"predictions\":[";
    for (size_t i = 0; i < writers.size(); ++i) {
      if (i > 0) text += ',';
      text += writers[i].answer(made, offsets[i], offsets[i + 1]);
    }
    return answer(text + "]}");
  };
  return all;
}

Exchange info(const Request& /*request*/, const Catalog& catalog) {
  const auto models = catalog.models();
  if (models.empty()) throw Failure(FailureKind::kUnready, "no model is loaded yet");
  const ModelEntry& entry = *models.front();
  const Settings& settings = catalog.settings();
  OrderedJson prompts = OrderedJson::array();
  for (const auto& [name, prompt] : entry.info.prompts) {
    if (!prompt.empty()) prompts.push_back(name);
  }
  OrderedJson body = {
      {"model_id", entry.id},
      {"model_sha", entry.revision.empty() ? OrderedJson() : OrderedJson(entry.revision)},
      {"model_dtype", entry.compute},
      {"served_model_name", public_name(entry, catalog)},
      {"model_type", model_type(entry)},
      {"max_concurrent_requests", settings.max_concurrent_requests},
      {"max_input_length", entry.info.max_length},
      {"max_batch_tokens", settings.max_batch_tokens},
      {"max_batch_requests", nullptr},
      {"max_client_batch_size", settings.max_client_batch_size},
      {"auto_truncate", settings.auto_truncate},
      {"tokenization_workers", settings.tokenization_workers},
      {"version", kVersion},
      {"sha", nullptr},
      {"docker_label", nullptr},
      {"router", "embedforge"},
      {"prompts", prompts},
  };
  Exchange exchange;
  exchange.ask = answer(to_text(body));
  return exchange;
}

}  // namespace embedforge::serve::tei
