// Cohere's embeddings. https://docs.cohere.com/reference/embed
#include <algorithm>

#include "serve/dialects/dialects.h"
#include "serve/dialects/parts.h"
#include "serve/json_writer.h"

namespace embedforge::serve::cohere {
namespace {

struct NamedForm {
  std::string name;  // of `embedding_types`
  VectorForm form;
};

std::vector<NamedForm> take_forms(const Fields& fields) {
  if (!fields.has("embedding_types")) return {{"float", {}}};
  std::vector<NamedForm> forms;
  for (std::string& name : fields.need_strings("embedding_types")) {
    if (std::any_of(forms.begin(), forms.end(), [&](const NamedForm& f) { return f.name == name; }))
      continue;
    const auto type = name == "float32" ? std::nullopt : vector_type_of_word(name);
    if (!type && name != "base64") {
      fail_field("embedding_types",
                 "a list of \"float\", \"int8\", \"uint8\", \"binary\", \"ubinary\" and \"base64\"",
                 name);
    }
    const VectorForm form{type.value_or(VectorType::kFloat32), name == "base64"};
    forms.push_back({std::move(name), form});
  }
  if (forms.empty()) forms.push_back({"float", {}});
  return forms;
}

/// The text of {"content": [{"type": "text", "text": …}]}.
std::string take_content(Json& input) {
  const Fields fields(input, "inputs.");
  Json& content = fields.need("content", "a list of one text");
  if (!content.is_array() || content.size() != 1) {
    fail_field("inputs.content", "a list of one text", content);
  }
  const Fields part(content[0], "inputs.content.");
  const std::string type = part.need_string("type");
  if (type != "text") fail_field("inputs.content.type", "\"text\": the model takes texts", type);
  return part.need_string("text");
}

std::vector<std::string> take_texts(const Fields& fields) {
  if (fields.has("images")) {
    throw Failure(FailureKind::kValidation, "`images` can't be embedded: the model takes texts",
                  "images");
  }
  if (fields.has("texts")) {
    if (fields.has("inputs")) {
      throw Failure(FailureKind::kValidation, "`texts` and `inputs` are given, one is taken",
                    "inputs");
    }
    return fields.need_strings("texts");
  }
  if (!fields.has("inputs")) fail_missing("texts", "a list of strings");
  Json& inputs = fields.need("inputs", "a list of objects");
  if (!inputs.is_array()) fail_field("inputs", "a list of objects", inputs);
  std::vector<std::string> texts;
  for (Json& input : inputs) texts.push_back(take_content(input));
  return texts;
}

Truncation take_cut(const Fields& fields) {
  Truncation cut;
  const std::string word = fields.take_string("truncate");
  if (word == "NONE") {
    cut.allowed = false;
  } else if (word == "START") {
    cut.allowed = true;
    cut.side = TruncationSide::kLeft;
  } else if (word.empty() || word == "END") {
    cut.allowed = true;
    cut.side = TruncationSide::kRight;
  } else {
    fail_field("truncate", "\"NONE\", \"START\" or \"END\"", word);
  }
  cut.max_tokens = fields.count("max_tokens").value_or(0);
  return cut;
}

bool has_scale(const std::vector<NamedForm>& forms) {
  return std::any_of(forms.begin(), forms.end(), [](const NamedForm& f) {
    return f.form.type == VectorType::kInt8 || f.form.type == VectorType::kUint8;
  });
}

std::string write_embeddings(const Matrix& vectors, const std::vector<NamedForm>& forms) {
  std::string body = "{";
  for (const NamedForm& one : forms) {
    if (body.size() > 1) body += ',';
    body += "\"" + one.name + "\":[";
    for (size_t i = 0; i < vectors.rows; ++i) {
      if (i > 0) body += ',';
      append_vector(body, vectors.row(i), one.form);
    }
    body += ']';
  }
  return body + "}";
}

std::string write_texts(const std::vector<std::string>& texts) {
  std::string body = "[";
  for (const std::string& text : texts) {
    if (body.size() > 1) body += ',';
    append_string(body, text);
  }
  return body + "]";
}

}  // namespace

Exchange embed(const Request& request, const Catalog& catalog) {
  Json body = parse_body(request, ContentType::kJsonOrNone);
  const Fields fields(body);
  Exchange exchange;
  exchange.model = fields.take_string("model");
  const Entry entry = catalog.find(exchange.model, ModelKind::kEmbedding);
  EmbedAsk ask;
  std::vector<std::string> texts = take_texts(fields);
  check_batch(texts.size(), "texts", catalog.settings());
  for (const std::string& text : texts) {
    check_text(text, "texts");
    ask.inputs.emplace_back(text);
  }
  ask.truncation = take_cut(fields);
  ask.dimensions = checked_dimensions(fields.count("output_dimension"), "output_dimension", *entry);
  set_purpose(ask, fields.take_string("input_type"), "input_type", *entry);
  exchange.ask = std::move(ask);
  exchange.write = [forms = take_forms(fields), texts = std::move(texts),
                    id = request.id](const Answer& made) {
    const auto& embedded = std::get<Embedded>(made.content);
    std::string text = "{\"id\":";
    append_string(text, id);
    text += R"(,"response_type":"embeddings_by_type","embeddings":)" +
            write_embeddings(embedded.vectors, forms);
    text += ",\"texts\":" + write_texts(texts);
    text += R"(,"meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":)" +
            std::to_string(made.tokens()) + "}";
    if (has_scale(forms)) {
      text += ",\"scale\":";
      append_float(text, static_cast<float>(int8_scale(embedded.vectors.columns)));
    }
    return answer(text + "}}", embedded);
  };
  return exchange;
}

Response fail(const Failure& failure) {
  return fail_with(http_status(failure.kind()), to_text({{"message", failure.what()}}));
}

}  // namespace embedforge::serve::cohere
