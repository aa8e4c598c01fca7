// text-embeddings-inference: vectors of texts, and its errors.
#include "serve/dialects/tei.h"

#include <numeric>

namespace embedforge::serve::tei {
namespace {

/// A string, a list of token ids, or a list of those.
std::vector<Input> take_inputs(Json& value, const ModelEntry& entry, const Settings& settings) {
  constexpr const char* kExpected = "a string, a list of token ids, or a list of those";
  if (value.is_string() || (value.is_array() && !value.empty() && value[0].is_number())) {
    Json single = Json::array();
    single.push_back(std::move(value));
    value = std::move(single);
  }
  if (!value.is_array()) fail_field("inputs", kExpected, value);
  check_batch(value.size(), "inputs", settings);
  std::vector<Input> inputs;
  inputs.reserve(value.size());
  for (Json& one : value) {
    if (one.is_string()) {
      check_text(one.get_ref<const std::string&>(), "inputs");
      inputs.emplace_back(std::move(one.get_ref<std::string&>()));
    } else if (one.is_array()) {
      inputs.emplace_back(take_ids(one, "inputs", entry));
    } else {
      fail_field("inputs", kExpected, one);
    }
  }
  return inputs;
}

EmbedAsk take_ask(const Fields& fields, const ModelEntry& entry, const Settings& settings) {
  EmbedAsk ask;
  ask.inputs = take_inputs(
      fields.need("inputs", "a string, a list of token ids, or a list of those"), entry, settings);
  ask.truncation = take_truncation(fields);
  ask.prompt_name = fields.take_string("prompt_name");
  return ask;
}

std::string write_vectors(const Embedded& embedded) {
  std::string body;
  append_rows(body, embedded.vectors, 0, embedded.vectors.rows);
  return body;
}

float cosine(std::span<const float> a, std::span<const float> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0F);
}

}  // namespace

Truncation take_truncation(const Fields& fields) {
  Truncation truncation;
  truncation.allowed = fields.boolean("truncate");
  if (const Json* value = fields.find("truncation_direction")) {
    if (*value == "Right" || *value == "right") {
      truncation.side = TruncationSide::kRight;
    } else if (*value == "Left" || *value == "left") {
      truncation.side = TruncationSide::kLeft;
    } else {
      fail_field(fields.full_name("truncation_direction"), "\"Left\" or \"Right\"", *value);
    }
  }
  return truncation;
}

Exchange take_embed(const Fields& fields, const Catalog& catalog) {
  Exchange exchange;
  exchange.model = fields.take_string("model");
  const Entry entry = catalog.find(exchange.model, ModelKind::kEmbedding);
  EmbedAsk ask = take_ask(fields, *entry, catalog.settings());
  ask.normalize = fields.boolean("normalize", true);
  ask.dimensions =
      checked_dimensions(fields.count("dimensions"), fields.full_name("dimensions"), *entry);
  exchange.ask = std::move(ask);
  exchange.write = [](const Answer& made) {
    const auto& embedded = std::get<Embedded>(made.content);
    return answer(write_vectors(embedded), embedded);
  };
  return exchange;
}

Exchange take_similarity(const Fields& fields, const Catalog& catalog) {
  Exchange exchange;
  exchange.model = fields.take_string("model");
  const Fields inputs(fields.need("inputs", "an object with source_sentence and sentences"),
                      "inputs.");
  EmbedAsk ask;
  std::string source = inputs.need_string("source_sentence");
  std::vector<std::string> sentences = inputs.need_strings("sentences");
  check_batch(sentences.size(), "inputs.sentences", catalog.settings());
  check_batch(sentences.size() + 1, "inputs", catalog.settings());
  ask.inputs.emplace_back(std::move(source));
  for (std::string& sentence : sentences) ask.inputs.emplace_back(std::move(sentence));
  for (const Input& input : ask.inputs) check_text(std::get<std::string>(input), "inputs");
  if (const auto parameters = fields.object("parameters")) {
    ask.truncation = take_truncation(*parameters);
    ask.prompt_name = parameters->take_string("prompt_name");
  }
  exchange.ask = std::move(ask);
  exchange.write = [](const Answer& made) {
    const auto& embedded = std::get<Embedded>(made.content);
    std::vector<float> cosines;
    for (size_t i = 1; i < embedded.vectors.rows; ++i) {
      cosines.push_back(cosine(embedded.vectors.row(0), embedded.vectors.row(i)));
    }
    std::string body;
    append_floats(body, cosines);
    return answer(std::move(body), embedded);
  };
  return exchange;
}

Exchange embed(const Request& request, const Catalog& catalog) {
  Json body = parse_body(request);
  return take_embed(Fields(body), catalog);
}

Exchange embed_all(const Request& request, const Catalog& catalog) {
  Json body = parse_body(request);
  const Fields fields(body);
  Exchange exchange;
  exchange.model = fields.take_string("model");
  const Entry entry = catalog.find(exchange.model, ModelKind::kEmbedding);
  EmbedAsk ask = take_ask(fields, *entry, catalog.settings());
  ask.each_token = true;
  ask.normalize = false;
  exchange.ask = std::move(ask);
  exchange.write = [](const Answer& made) {
    const auto& embedded = std::get<Embedded>(made.content);
    std::string text = "[";
    for (size_t i = 0; i + 1 < embedded.offsets.size(); ++i) {
      if (i > 0) text += ',';
      append_rows(text, embedded.vectors, embedded.offsets[i], embedded.offsets[i + 1]);
    }
    return answer(text + "]", embedded);
  };
  return exchange;
}

Exchange embed_sparse(const Request& request, const Catalog& catalog) {
  Json body = parse_body(request);
  const Fields fields(body);
  const Entry entry = catalog.find(fields.take_string("model"), ModelKind::kEmbedding);
  take_ask(fields, *entry, catalog.settings());
  throw Failure(FailureKind::kModel, "model " + public_name(*entry, catalog) +
                                         " is no SPLADE model: it has no sparse vectors");
}

Exchange similarity(const Request& request, const Catalog& catalog) {
  Json body = parse_body(request);
  return take_similarity(Fields(body), catalog);
}

void append_rows(std::string& out, const Matrix& vectors, size_t begin, size_t end) {
  out += '[';
  for (size_t i = begin; i < end; ++i) {
    if (i > begin) out += ',';
    append_floats(out, vectors.row(i));
  }
  out += ']';
}

std::string_view error_type(FailureKind kind) {
  switch (kind) {
    case FailureKind::kEmpty:
      return "Empty";
    case FailureKind::kModel:
    case FailureKind::kBug:
      return "Backend";
    case FailureKind::kOverloaded:
    case FailureKind::kOverdue:
      return "Overloaded";
    case FailureKind::kUnready:
      return "Unhealthy";
    default:
      return "Validation";
  }
}

OrderedJson error_body(const Failure& failure) {
  return {{"error", failure.what()}, {"error_type", error_type(failure.kind())}};
}

Response fail(const Failure& failure) {
  return fail_with(http_status(failure.kind()), to_text(error_body(failure)));
}

}  // namespace embedforge::serve::tei
