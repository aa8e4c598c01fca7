// text-embeddings-inference: cross-encoders and classifiers.
#include <algorithm>

#include "serve/dialects/tei.h"

namespace embedforge::serve::tei {
namespace {

using ScoreInput = std::pair<std::string, std::optional<std::string>>;

/// One text, or a pair of texts.
ScoreInput take_text_or_pair(Json& value) {
  constexpr const char* kExpected = "a text, or a list of one or two texts";
  if (value.is_string()) {
    check_text(value.get_ref<const std::string&>(), "inputs");
    return {std::move(value.get_ref<std::string&>()), std::nullopt};
  }
  const bool fits =
      value.is_array() && (value.size() == 1 || value.size() == 2) &&
      std::all_of(value.begin(), value.end(), [](const Json& v) { return v.is_string(); });
  if (!fits) fail_field("inputs", kExpected, value);
  ScoreInput input{take_string(value[0], "inputs"), std::nullopt};
  check_text(input.first, "inputs");
  if (value.size() == 2) input.second = take_string(value[1], "inputs");
  return input;
}

}  // namespace

Exchange take_rerank(const Fields& fields, const Catalog& catalog) {
  Exchange exchange;
  exchange.model = fields.take_string("model");
  ScoreAsk ask;
  const std::string query = fields.need_string("query");
  std::vector<std::string> texts = fields.need_strings("texts");
  check_text(query, "query");
  check_batch(texts.size(), "texts", catalog.settings());
  ask.raw = fields.boolean("raw_scores", false);
  ask.truncation = take_truncation(fields);
  const bool shows_text = fields.boolean("return_text", false);
  const size_t top = fields.count("top_n").value_or(0);
  std::vector<std::string> shown;
  if (shows_text) shown = texts;
  for (std::string& text : texts) {
    check_text(text, "texts");
    ask.inputs.emplace_back(query, std::move(text));
  }
  exchange.ask = std::move(ask);
  exchange.write = [shown = std::move(shown), top](const Answer& made) {
    std::string body;
    append_ranks(body, std::get<Scored>(made.content).scores.values, shown, top);
    return answer(std::move(body));
  };
  return exchange;
}

Exchange take_predict(const Fields& fields, const Catalog& catalog) {
  Exchange exchange;
  exchange.model = fields.take_string("model");
  const Entry entry = catalog.find(exchange.model, ModelKind::kClassifier);
  Json& inputs = fields.need("inputs", "a text, a pair of texts, or a list of lists of those");
  ScoreAsk ask;
  ask.reranks = false;
  ask.raw = fields.boolean("raw_scores", false);
  ask.truncation = take_truncation(fields);
  const bool batch = inputs.is_array() && (inputs.empty() || inputs[0].is_array());
  if (batch) {
    check_batch(inputs.size(), "inputs", catalog.settings());
    for (Json& input : inputs) ask.inputs.push_back(take_text_or_pair(input));
  } else {
    ask.inputs.push_back(take_text_or_pair(inputs));
  }
  exchange.ask = std::move(ask);
  exchange.write = [entry, batch](const Answer& made) {
    const Matrix& scores = std::get<Scored>(made.content).scores;
    std::string body = batch ? "[" : "";
    for (size_t i = 0; i < scores.rows; ++i) {
      if (i > 0) body += ',';
      append_labels(body, scores.row(i), *entry);
    }
    if (batch) body += ']';
    return answer(std::move(body));
  };
  return exchange;
}

Exchange predict(const Request& request, const Catalog& catalog) {
  Json body = parse_body(request);
  return take_predict(Fields(body), catalog);
}

void append_ranks(std::string& out, std::span<const float> scores,
                  std::span<const std::string> texts, size_t top) {
  out += '[';
  bool first = true;
  for (const size_t i : best_first(scores, top)) {
    out += first ? "{\"index\":" : ",{\"index\":";
    out += std::to_string(i);
    if (!texts.empty()) {
      out += ",\"text\":";
      append_string(out, texts[i]);
    }
    out += ",\"score\":";
    append_float(out, scores[i]);
    out += '}';
    first = false;
  }
  out += ']';
}

void append_labels(std::string& out, std::span<const float> scores, const ModelEntry& entry) {
  out += '[';
  bool first = true;
  for (const size_t i : best_first(scores, 0)) {
    out += first ? "{\"score\":" : ",{\"score\":";
    append_float(out, scores[i]);
    out += ",\"label\":";
    append_string(out, i < entry.labels.size() ? entry.labels[i] : "LABEL_" + std::to_string(i));
    out += '}';
    first = false;
  }
  out += ']';
}

}  // namespace embedforge::serve::tei
