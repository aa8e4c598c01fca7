// The providers' documented request and answer shapes, one block each.
#include "backends/providers.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "embedforge/error.h"

namespace embedforge {
namespace {

using nlohmann::json;

[[noreturn]] void unexpected(const std::string& what) { throw Error(ErrorCode::kRemote, what); }

const json& field(const json& object, const char* name) {
  if (!object.is_object() || !object.contains(name))
    unexpected(std::string("the answer has no field \"") + name + "\"");
  return object[name];
}

uint64_t count(const json& object, std::initializer_list<const char*> path) {
  const json* at = &object;
  for (const char* name : path) {
    if (!at->is_object() || !at->contains(name)) return 0;
    at = &(*at)[name];
  }
  return at->is_number() ? static_cast<uint64_t>(std::max(0.0, at->get<double>())) : 0;
}

std::vector<float> floats(const json& list) {
  if (!list.is_array()) unexpected("an embedding in the answer is no list of numbers");
  std::vector<float> row;
  row.reserve(list.size());
  for (const json& value : list) {
    if (!value.is_number()) unexpected("an embedding in the answer has a value that is no number");
    row.push_back(value.get<float>());
  }
  return row;
}

/// Little-endian float32 in base64, as OpenAI encodes it.
std::vector<float> floats_of_base64(const std::string& text) {
  std::string bytes;
  uint32_t bits = 0;
  int have = 0;
  for (const char c : text) {
    int value = 0;
    if (c >= 'A' && c <= 'Z') {
      value = c - 'A';
    } else if (c >= 'a' && c <= 'z') {
      value = c - 'a' + 26;
    } else if (c >= '0' && c <= '9') {
      value = c - '0' + 52;
    } else if (c == '+' || c == '/') {
      value = c == '+' ? 62 : 63;
    } else if (c == '=') {
      break;
    } else {
      unexpected("an embedding in the answer is not valid base64");
    }
    bits = (bits << 6U) | static_cast<uint32_t>(value);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    bytes += static_cast<char>((bits >> static_cast<unsigned>(have)) & 0xFFU);
  }
  if (bytes.size() % sizeof(float) != 0)
    unexpected("an embedding in the answer is no whole number of float32");
  std::vector<float> row(bytes.size() / sizeof(float));
  std::memcpy(row.data(), bytes.data(), bytes.size());
  return row;
}

std::vector<std::vector<float>> rows_of(const json& list) {
  if (!list.is_array()) unexpected("the answer's embeddings are no list");
  std::vector<std::vector<float>> rows;
  for (const json& row : list) rows.push_back(floats(row));
  return rows;
}

/// {"data": [{"index": 0, "embedding": [...] or base64}]}, in any order.
std::vector<std::vector<float>> indexed_rows(const json& answer, size_t texts) {
  const json& data = field(answer, "data");
  if (!data.is_array()) unexpected("the answer's field \"data\" is no list");
  std::vector<std::vector<float>> rows(texts);
  for (size_t i = 0; i < data.size(); ++i) {
    const json& index = data[i].contains("index") ? data[i]["index"] : json(i);
    if (!index.is_number_unsigned() || index.get<uint64_t>() >= texts)
      unexpected("the answer has an embedding with the index " + index.dump() + " of " +
                 std::to_string(texts) + " texts");
    const json& embedding = field(data[i], "embedding");
    std::vector<float>& row = rows[index.get<size_t>()];
    if (!row.empty()) unexpected("the answer has the index " + index.dump() + " twice");
    row =
        embedding.is_string() ? floats_of_base64(embedding.get<std::string>()) : floats(embedding);
  }
  return rows;
}

// https://platform.openai.com/docs/api-reference/embeddings
json openai_body(const ProviderCall& call) {
  return {{"model", call.model}, {"input", call.texts}, {"encoding_format", "base64"}};
}
ProviderAnswer openai_parse(const json& answer, size_t texts) {
  return {indexed_rows(answer, texts), count(answer, {"usage", "total_tokens"})};
}

// https://huggingface.github.io/text-embeddings-inference
json tei_body(const ProviderCall& call) {
  json body = {{"inputs", call.texts}, {"truncate", true}, {"normalize", false}};
  if (!call.prompt_name.empty()) body["prompt_name"] = call.prompt_name;
  return body;
}
ProviderAnswer tei_parse(const json& answer, size_t /*texts*/) { return {rows_of(answer), 0}; }

// https://docs.ollama.com/api/embed
json ollama_body(const ProviderCall& call) {
  return {{"model", call.model}, {"input", call.texts}, {"truncate", true}};
}
ProviderAnswer ollama_parse(const json& answer, size_t /*texts*/) {
  return {rows_of(field(answer, "embeddings")), count(answer, {"prompt_eval_count"})};
}

// https://docs.cohere.com/reference/embed
json cohere_body(const ProviderCall& call) {
  return {{"model", call.model},
          {"texts", call.texts},
          {"input_type", call.input_type == "query" ? "search_query" : "search_document"},
          {"embedding_types", json::array({"float"})},
          {"truncate", "END"}};
}
ProviderAnswer cohere_parse(const json& answer, size_t /*texts*/) {
  return {rows_of(field(field(answer, "embeddings"), "float")),
          count(answer, {"meta", "billed_units", "input_tokens"})};
}

// https://docs.voyageai.com/reference/embeddings-api
json voyage_body(const ProviderCall& call) {
  return {{"model", call.model},
          {"input", call.texts},
          {"input_type", call.input_type},
          {"truncation", true}};
}
ProviderAnswer voyage_parse(const json& answer, size_t texts) {
  return {indexed_rows(answer, texts), count(answer, {"usage", "total_tokens"})};
}

constexpr std::array<Provider, 5> kProviders = {{
    {"openai", "https://api.openai.com/v1", "OPENAI_BASE_URL", "OPENAI_API_KEY", true,
     "/embeddings", 2048, 300'000, openai_body, openai_parse},
    {"tei", "http://127.0.0.1:8080", "TEI_BASE_URL", "TEI_API_KEY", false, "/embed", 32, 1'500'000,
     tei_body, tei_parse},
    {"ollama", "http://127.0.0.1:11434", "OLLAMA_HOST", nullptr, false, "/api/embed", 256,
     4'000'000, ollama_body, ollama_parse},
    {"cohere", "https://api.cohere.com", "COHERE_BASE_URL", "COHERE_API_KEY", true, "/v2/embed", 96,
     4'000'000, cohere_body, cohere_parse},
    {"voyage", "https://api.voyageai.com/v1", "VOYAGE_BASE_URL", "VOYAGE_API_KEY", true,
     "/embeddings", 1000, 120'000, voyage_body, voyage_parse},
}};

}  // namespace

bool is_remote_provider(std::string_view name) {
  return std::any_of(kProviders.begin(), kProviders.end(),
                     [&](const Provider& p) { return p.name == name; });
}

const Provider& find_provider(std::string_view name) {
  for (const Provider& provider : kProviders) {
    if (provider.name == name) return provider;
  }
  throw_usage(
      "provider \"" + std::string(name) +
      "\" is unknown; known are native, onnxruntime, torch, openai, tei, ollama, cohere and "
      "voyage");
}

}  // namespace embedforge
