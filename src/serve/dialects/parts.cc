#include "serve/dialects/parts.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "serve/json_writer.h"

namespace embedforge::serve {
namespace {

enum class Purpose { kQuery, kDocument, kOther };

struct PurposeWord {
  std::string_view word;
  Purpose purpose;
};

constexpr std::array<PurposeWord, 19> kPurposes = {{
    {"query", Purpose::kQuery},
    {"search_query", Purpose::kQuery},
    {"retrieval.query", Purpose::kQuery},
    {"retrieval_query", Purpose::kQuery},
    {"code.query", Purpose::kQuery},
    {"nl2code.query", Purpose::kQuery},
    {"document", Purpose::kDocument},
    {"passage", Purpose::kDocument},
    {"search_document", Purpose::kDocument},
    {"retrieval.passage", Purpose::kDocument},
    {"retrieval_document", Purpose::kDocument},
    {"code.passage", Purpose::kDocument},
    {"nl2code.passage", Purpose::kDocument},
    {"classification", Purpose::kOther},
    {"clustering", Purpose::kOther},
    {"separation", Purpose::kOther},
    {"text-matching", Purpose::kOther},
    {"semantic_similarity", Purpose::kOther},
    {"none", Purpose::kOther},
}};

std::string purpose_words() {
  std::string words;
  for (const PurposeWord& known : kPurposes) {
    if (!words.empty()) words += ", ";
    words += known.word;
  }
  return words;
}

std::string last_part(std::string_view id) {
  while (id.size() > 1 && id.ends_with('/')) id.remove_suffix(1);
  const size_t slash = id.rfind('/');
  return std::string(slash == std::string_view::npos ? id : id.substr(slash + 1));
}

void quantize_by_scale(std::span<const float> vector, bool is_signed, std::vector<uint8_t>& out) {
  const double per_step = 1 / int8_scale(vector.size());
  for (const float x : vector) {
    const auto level = static_cast<int>(std::clamp(std::nearbyint(x * per_step), -127.0, 127.0));
    out.push_back(static_cast<uint8_t>(is_signed ? level : level + 128));
  }
}

}  // namespace

void check_batch(size_t inputs, const std::string& field, const Settings& settings) {
  if (inputs == 0) {
    throw Failure(FailureKind::kEmpty, "Input validation error: `" + field + "` cannot be empty",
                  field);
  }
  if (inputs <= settings.max_client_batch_size) return;
  throw Failure(FailureKind::kValidation,
                "batch size " + std::to_string(inputs) + " > maximum allowed batch size " +
                    std::to_string(settings.max_client_batch_size) +
                    " (the server's --max-client-batch-size)",
                field);
}

void check_text(std::string_view text, const std::string& field) {
  if (!text.empty()) return;
  throw Failure(FailureKind::kEmpty, "Input validation error: `" + field + "` cannot be empty",
                field);
}

size_t checked_dimensions(std::optional<size_t> dimensions, const std::string& field,
                          const ModelEntry& entry) {
  if (!dimensions) return 0;
  if (*dimensions == 0) {
    throw Failure(FailureKind::kValidation, "`" + field + "` should be positive", field);
  }
  if (*dimensions > entry.info.dimension) {
    throw Failure(FailureKind::kValidation,
                  "`" + field +
                      "` should be smaller than the maximum embedding dimension. The model's is " +
                      std::to_string(entry.info.dimension),
                  field);
  }
  return *dimensions;
}

std::vector<int32_t> take_ids(const Json& list, const std::string& field, const ModelEntry& entry) {
  if (!list.is_array()) fail_field(field, "a list of token ids", list);
  std::vector<int32_t> ids;
  ids.reserve(list.size());
  for (const Json& id : list) {
    if (!id.is_number_unsigned()) fail_field(field, "a list of token ids", id);
    const auto value = id.get<uint64_t>();
    if (value > INT32_MAX ||
        (entry.vocabulary > 0 && value >= static_cast<uint64_t>(entry.vocabulary))) {
      throw Failure(FailureKind::kValidation,
                    "`" + field + "` has the token id " + std::to_string(value) +
                        ", the model's vocabulary ends at " + std::to_string(entry.vocabulary - 1),
                    field);
    }
    ids.push_back(static_cast<int32_t>(value));
  }
  if (ids.empty()) check_text("", field);
  return ids;
}

void set_purpose(EmbedAsk& ask, const std::string& word, const std::string& field,
                 const ModelEntry& entry) {
  if (word.empty()) return;
  if (entry.info.prompts.contains(word)) {
    ask.prompt_name = word;
    return;
  }
  const auto* known = std::find_if(kPurposes.begin(), kPurposes.end(),
                                   [&](const PurposeWord& p) { return p.word == word; });
  if (known == kPurposes.end()) {
    throw Failure(FailureKind::kValidation,
                  "`" + field + "` must be the name of one of the model's prompts, or one of " +
                      purpose_words(),
                  field);
  }
  if (known->purpose == Purpose::kQuery) ask.type = InputType::kQuery;
  if (known->purpose == Purpose::kDocument) ask.type = InputType::kDocument;
}

std::string take_text_or_object(Json& value, const std::string& field) {
  if (!value.is_object()) return take_string(value, field);
  const Fields fields(value, field + ".");
  for (const char* other : {"image", "image_url", "video", "audio", "pdf"}) {
    if (fields.has(other)) {
      throw Failure(FailureKind::kValidation,
                    "`" + fields.full_name(other) + "` can't be embedded: the model takes texts",
                    fields.full_name(other));
    }
  }
  return fields.need_string("text");
}

std::optional<VectorType> vector_type_of_word(std::string_view word) {
  if (word == "float" || word == "float32") return VectorType::kFloat32;
  for (const VectorType type :
       {VectorType::kInt8, VectorType::kUint8, VectorType::kBinary, VectorType::kUbinary}) {
    if (word == vector_type_name(type)) return type;
  }
  return std::nullopt;
}

double int8_scale(size_t dimensions) {
  const double largest = 8 / std::sqrt(static_cast<double>(std::max<size_t>(dimensions, 1)));
  return std::min(largest, 1.0) / 127;
}

void append_vector(std::string& out, std::span<const float> vector, VectorForm form) {
  if (form.type == VectorType::kFloat32) {
    return form.base64 ? append_base64(out, vector) : append_floats(out, vector);
  }
  for (const float x : vector) check_finite(x);
  const bool is_signed = form.type == VectorType::kInt8 || form.type == VectorType::kBinary;
  std::vector<uint8_t> bytes;
  if (form.type == VectorType::kInt8 || form.type == VectorType::kUint8) {
    quantize_by_scale(vector, is_signed, bytes);
  } else {
    const Matrix row{1, vector.size(), {vector.begin(), vector.end()}};
    bytes = quantize_vectors(row, form.type).values;
  }
  if (form.base64) {
    append_base64(out, std::span<const uint8_t>(bytes));
  } else {
    append_bytes(out, bytes, is_signed);
  }
}

Response answer(std::string body) {
  Response response;
  response.body = std::move(body);
  return response;
}

Response answer(std::string body, const Embedded& embedded) {
  Response response = answer(std::move(body));
  const auto cut = std::count(embedded.truncated.begin(), embedded.truncated.end(), true);
  if (cut > 0) response.headers.emplace_back("x-embedforge-truncated", std::to_string(cut));
  return response;
}

Response fail_with(int status, std::string body) {
  Response response = answer(std::move(body));
  response.status = status;
  return response;
}

std::vector<size_t> best_first(std::span<const float> scores, size_t top) {
  for (const float score : scores) check_finite(score);
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  if (top > 0 && top < order.size()) order.resize(top);
  return order;
}

std::string public_name(const ModelEntry& entry, const Catalog& catalog) {
  const std::string& served = catalog.settings().served_model_name;
  if (served.empty()) return entry.id;
  const auto models = catalog.models();
  return !models.empty() && models.front()->id == entry.id ? served : entry.id;
}

std::string short_name(const ModelEntry& entry) {
  for (const std::string& alias : entry.aliases) {
    if (alias != "*") return alias;
  }
  return last_part(entry.id);
}

}  // namespace embedforge::serve
