// OpenAI, with the fields that Jina, Voyage and vLLM add to its embeddings.
// https://platform.openai.com/docs/api-reference/embeddings https://api.jina.ai/redoc
// https://docs.voyageai.com/reference/embeddings-api
#include <algorithm>

#include "serve/dialects/dialects.h"
#include "serve/dialects/parts.h"
#include "serve/dialects/tei.h"
#include "serve/json_writer.h"
#include "serve/token_table.h"

namespace embedforge::serve::openai {
namespace {

constexpr const char* kInputExpected =
    "a string, a list of strings, or lists of token ids of the model's own vocabulary";

constexpr std::string_view kOneModel = "/v1/models/";

bool is_ours(const std::vector<int32_t>& ids, const ModelEntry& entry) {
  return entry.first_id >= 0 && entry.last_id >= 0 && ids.size() >= 2 &&
         ids.front() == entry.first_id && ids.back() == entry.last_id;
}

/// Token ids may be of another vocabulary: LangChain sends those of OpenAI's models by default.
Input take_token_ids(const Json& list, const ModelEntry& entry, const Settings& settings) {
  if (settings.token_ids == TokenIds::kModel) return take_ids(list, "input", entry);
  ModelEntry any;
  std::vector<int32_t> ids = take_ids(list, "input", any);
  const bool ours = settings.token_ids != TokenIds::kReject && is_ours(ids, entry);
  if (ours) return take_ids(list, "input", entry);
  if (settings.token_ids == TokenIds::kTable && settings.token_table != nullptr) {
    return decode_foreign(*settings.token_table, ids, "input");
  }
  throw Failure(
      FailureKind::kUsage,
      "`input` has token ids that aren't known to be this model's, which would give wrong vectors: "
      "send texts (LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False)), or start the "
      "server with --openai-token-ids cl100k:FILE (their table) or model (they are the model's)",
      "input");
}

std::vector<Input> take_input(Json& value, const ModelEntry& entry, const Settings& settings) {
  if (!value.is_array() || (!value.empty() && value[0].is_number())) {
    Json single = Json::array();
    single.push_back(std::move(value));
    value = std::move(single);
  }
  check_batch(value.size(), "input", settings);
  std::vector<Input> inputs;
  inputs.reserve(value.size());
  for (Json& one : value) {
    if (one.is_array()) {
      inputs.push_back(take_token_ids(one, entry, settings));
      continue;
    }
    if (!one.is_string() && !one.is_object()) fail_field("input", kInputExpected, one);
    inputs.emplace_back(take_text_or_object(one, "input"));
    check_text(std::get<std::string>(inputs.back()), "input");
  }
  return inputs;
}

/// Two names of one field. Errors: Failure kValidation where they differ.
Json* find_either(const Fields& fields, const char* first, const char* second) {
  Json* a = fields.find(first);
  Json* b = fields.find(second);
  if (a != nullptr && b != nullptr && *a != *b) {
    throw Failure(FailureKind::kValidation,
                  "`" + std::string(first) + "` and `" + second + "` say different things", second);
  }
  return a != nullptr ? a : b;
}

VectorForm take_form(const Fields& fields) {
  VectorForm form;
  const std::string encoding = fields.take_string("encoding_format");
  if (!encoding.empty() && encoding != "float" && encoding != "base64") {
    fail_field("encoding_format", "\"float\" or \"base64\"", encoding);
  }
  form.base64 = encoding == "base64";
  Json* named = find_either(fields, "output_dtype", "embedding_type");
  if (named == nullptr) return form;
  if (named->is_array() && named->size() == 1) *named = Json((*named)[0]);
  const char* field = fields.has("output_dtype") ? "output_dtype" : "embedding_type";
  const std::string word = named->is_string() ? named->get<std::string>() : "";
  const auto type = vector_type_of_word(word);
  if (word == "base64") {
    form.base64 = true;
  } else if (type) {
    form.type = *type;
  } else {
    fail_field(field, "\"float\", \"base64\", \"int8\", \"uint8\", \"binary\" or \"ubinary\"",
               *named);
  }
  return form;
}

/// What other servers take and would change the vectors.
void refuse_unobeyed(const Fields& fields) {
  for (const char* name : {"late_chunking", "return_multivector"}) {
    if (!fields.boolean(name, false)) continue;
    throw Failure(FailureKind::kValidation,
                  "`" + std::string(name) + "`: true can't be done here: leave it out", name);
  }
  if (!fields.boolean("add_special_tokens", true)) {
    throw Failure(FailureKind::kValidation,
                  "`add_special_tokens`: false can't be done here: leave it out, or send token ids",
                  "add_special_tokens");
  }
}

Truncation take_cut(const Fields& fields) {
  Truncation cut;
  cut.allowed = fields.boolean("truncate");
  if (const auto other = fields.boolean("truncation")) cut.allowed = other;
  if (const Json* most = fields.find("truncate_prompt_tokens"); most != nullptr && *most != -1) {
    cut.max_tokens = fields.count("truncate_prompt_tokens").value_or(0);
    if (cut.max_tokens > 0) cut.allowed = true;
  }
  return cut;
}

EmbedAsk take_ask(const Fields& fields, const ModelEntry& entry, const Settings& settings) {
  EmbedAsk ask;
  refuse_unobeyed(fields);
  ask.inputs = take_input(fields.need("input", kInputExpected), entry, settings);
  const char* dimensions = fields.has("dimensions") ? "dimensions" : "output_dimension";
  find_either(fields, "dimensions", "output_dimension");
  ask.dimensions = checked_dimensions(fields.count(dimensions), dimensions, entry);
  ask.truncation = take_cut(fields);
  ask.normalize = fields.boolean("normalized", true);
  for (const char* name : {"task", "input_type"}) {
    set_purpose(ask, fields.take_string(name), name, entry);
  }
  return ask;
}

std::string write_list(const Embedded& embedded, VectorForm form, const std::string& model) {
  std::string body = "{\"object\":\"list\",\"data\":[";
  body.reserve(embedded.vectors.rows * (64 + embedded.vectors.columns * (form.base64 ? 6 : 13)));
  for (size_t i = 0; i < embedded.vectors.rows; ++i) {
    if (i > 0) body += ',';
    body += "{\"object\":\"embedding\",\"index\":" + std::to_string(i) + ",\"embedding\":";
    append_vector(body, embedded.vectors.row(i), form);
    body += '}';
  }
  body += "],\"model\":";
  append_string(body, model);
  if (form.type == VectorType::kInt8 || form.type == VectorType::kUint8) {
    body += ",\"scale\":";
    append_float(body, static_cast<float>(int8_scale(embedded.vectors.columns)));
  }
  return body;
}

OrderedJson model_object(const std::string& id, const ModelEntry& entry) {
  return {{"id", id},
          {"object", "model"},
          {"created", entry.modified},
          {"owned_by", "embedforge"},
          {"root", entry.id},
          {"max_model_len", entry.info.max_length}};
}

const char* type_word(FailureKind kind) {
  switch (kind) {
    case FailureKind::kUnauthorized:
      return "authentication_error";
    case FailureKind::kNotFound:
      return "not_found_error";
    case FailureKind::kOverloaded:
      return "rate_limit_error";
    case FailureKind::kBug:
    case FailureKind::kUnready:
    case FailureKind::kOverdue:
    case FailureKind::kModel:
      return "server_error";
    default:
      return "invalid_request_error";
  }
}

OrderedJson code_word(const Failure& failure) {
  switch (failure.kind()) {
    case FailureKind::kUnauthorized:
      return "invalid_api_key";
    case FailureKind::kNotFound:
      return "model_not_found";
    case FailureKind::kOverloaded:
      return "rate_limit_exceeded";
    default:
      return nullptr;
  }
}

}  // namespace

Exchange embeddings(const Request& request, const Catalog& catalog) {
  Json body = parse_body(request, ContentType::kJsonOrNone);
  const Fields fields(body);
  Exchange exchange;
  exchange.model = fields.take_string("model");
  const Entry entry = catalog.find(exchange.model, ModelKind::kEmbedding);
  const VectorForm form = take_form(fields);
  EmbedAsk ask = take_ask(fields, *entry, catalog.settings());
  if (!ask.normalize && (form.type == VectorType::kInt8 || form.type == VectorType::kUint8)) {
    throw Failure(
        FailureKind::kValidation,
        "`normalized`: false can't be had with int8 and uint8, whose scale is for vectors "
        "of length 1",
        "normalized");
  }
  exchange.ask = std::move(ask);
  exchange.write = [form, name = public_name(*entry, catalog)](const Answer& made) {
    const auto& embedded = std::get<Embedded>(made.content);
    const std::string tokens = std::to_string(made.tokens());
    return answer(write_list(embedded, form, name) + ",\"usage\":{\"prompt_tokens\":" + tokens +
                      ",\"total_tokens\":" + tokens + "}}",
                  embedded);
  };
  return exchange;
}

Exchange models(const Request& /*request*/, const Catalog& catalog) {
  OrderedJson list = OrderedJson::array();
  for (const Entry& entry : catalog.models()) {
    list.push_back(model_object(public_name(*entry, catalog), *entry));
    for (const std::string& alias : entry->aliases) {
      if (alias != "*") list.push_back(model_object(alias, *entry));
    }
  }
  Exchange exchange;
  exchange.ask = answer(to_text({{"object", "list"}, {"data", list}}));
  return exchange;
}

Exchange model(const Request& request, const Catalog& catalog) {
  const std::string id = request.path.substr(request.path.find(kOneModel) + kOneModel.size());
  const Entry entry = catalog.find(id, ModelKind::kEmbedding);
  Exchange exchange;
  exchange.ask = answer(to_text(model_object(id, *entry)));
  return exchange;
}

/// Nested as OpenAI's clients read it, and flat as those of text-embeddings-inference do; `detail`
/// is Jina's and Voyage's.
Response fail(const Failure& failure) {
  const int status = http_status(failure.kind());
  const OrderedJson field = failure.field().empty() ? OrderedJson() : OrderedJson(failure.field());
  const OrderedJson nested = {{"message", failure.what()},
                              {"type", type_word(failure.kind())},
                              {"param", field},
                              {"code", code_word(failure)}};
  return fail_with(status, to_text({{"error", nested},
                                    {"message", failure.what()},
                                    {"type", tei::error_type(failure.kind())},
                                    {"code", status},
                                    {"detail", failure.what()}}));
}

}  // namespace embedforge::serve::openai
