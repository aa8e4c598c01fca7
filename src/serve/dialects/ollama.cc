// Ollama. https://docs.ollama.com/api
#include <openssl/evp.h>

#include <array>
#include <cmath>
#include <ctime>

#include "embedforge/version.h"
#include "serve/dialects/dialects.h"
#include "serve/dialects/parts.h"
#include "serve/json_writer.h"

namespace embedforge::serve::ollama {
namespace {

/// Its durations are in nanoseconds.
int64_t nanoseconds(double seconds) { return static_cast<int64_t>(seconds * 1e9); }

std::string to_time(int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

/// 64 hex digits that change with the model's file; Ollama's are of the file's bytes.
std::string digest_of(const ModelEntry& entry) {
  const std::string about = entry.id + "\n" + entry.revision + "\n" + entry.compute + "\n" +
                            std::to_string(entry.bytes) + "\n" + std::to_string(entry.modified);
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  EVP_Digest(about.data(), about.size(), bytes.data(), &size, EVP_sha256(), nullptr);
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    hex += "0123456789abcdef"[bytes[i] >> 4U];
    hex += "0123456789abcdef"[bytes[i] & 15U];
  }
  return hex;
}

std::string parameter_size(uint64_t parameters) {
  if (parameters == 0) return "";
  const bool billions = parameters >= 1'000'000'000;
  const double shown = static_cast<double>(parameters) / (billions ? 1e9 : 1e6);
  std::string text = std::to_string(std::round(shown * 10) / 10);
  text.resize(text.find('.') + 2);
  return text + (billions ? "B" : "M");
}

std::string quantization(const ModelEntry& entry) {
  if (entry.compute == "int8") return "INT8";
  return entry.compute == "bf16" ? "BF16" : "F32";
}

OrderedJson details(const ModelEntry& entry) {
  return {{"parent_model", ""},
          {"format", "onnx"},
          {"family", entry.architecture},
          {"families", OrderedJson::array({entry.architecture})},
          {"parameter_size", parameter_size(entry.parameters)},
          {"quantization_level", quantization(entry)}};
}

OrderedJson capabilities(const ModelEntry& entry) {
  if (entry.kind == ModelKind::kReranker) return OrderedJson::array({"rerank"});
  if (entry.kind == ModelKind::kClassifier) return OrderedJson::array({"classify"});
  return OrderedJson::array({"embedding"});
}

OrderedJson listed(const std::string& name, const ModelEntry& entry) {
  return {{"name", name},
          {"model", name},
          {"modified_at", to_time(entry.modified)},
          {"size", entry.bytes},
          {"digest", digest_of(entry)},
          {"details", details(entry)}};
}

/// A name without a tag has the tag "latest".
std::string with_tag(const std::string& name) {
  return name.find(':') == std::string::npos ? name + ":latest" : name;
}

std::vector<std::string> names_of(const ModelEntry& entry) {
  std::vector<std::string> names;
  for (const std::string& alias : entry.aliases) {
    if (alias != "*") names.push_back(with_tag(alias));
  }
  if (names.empty()) names.push_back(with_tag(short_name(entry)));
  return names;
}

Exchange answered(const OrderedJson& body) {
  Exchange exchange;
  exchange.ask = answer(to_text(body));
  return exchange;
}

/// What Ollama gives where there is no text at all.
Exchange answered_empty(const std::string& model) {
  return answered({{"model", model},
                   {"embeddings", OrderedJson::array()},
                   {"total_duration", 0},
                   {"load_duration", 0},
                   {"prompt_eval_count", 0}});
}

[[noreturn]] void fail_input_type() {
  throw Failure(FailureKind::kUsage,
                "invalid input type: `input` must be a string or a list of strings", "input");
}

std::vector<Input> take_input(Json* value) {
  std::vector<Input> inputs;
  if (value == nullptr) return inputs;
  if (value->is_string()) {
    if (!value->get_ref<const std::string&>().empty()) {
      inputs.emplace_back(take_string(*value, "input"));
    }
    return inputs;
  }
  if (!value->is_array()) fail_input_type();
  for (Json& one : *value) {
    if (!one.is_string()) fail_input_type();
    check_text(one.get_ref<const std::string&>(), "input");
    inputs.emplace_back(take_string(one, "input"));
  }
  return inputs;
}

/// `options.num_ctx` bounds a text where it is less than the model takes.
size_t take_context(const Fields& fields, const ModelEntry& entry) {
  const auto options = fields.object("options");
  const size_t context = options ? options->count("num_ctx").value_or(0) : 0;
  return context < entry.info.max_length ? context : 0;
}

}  // namespace

Exchange embed(const Request& request, const Catalog& catalog) {
  Json body = parse_body(request, ContentType::kAny);
  const Fields fields(body);
  Exchange exchange;
  exchange.model = fields.take_string("model");
  const Entry entry = catalog.find(exchange.model, ModelKind::kEmbedding);
  const std::string name = exchange.model.empty() ? names_of(*entry).front() : exchange.model;
  EmbedAsk ask;
  ask.inputs = take_input(fields.find("input"));
  ask.truncation.allowed = fields.boolean("truncate", true);
  ask.truncation.max_tokens = take_context(fields, *entry);
  const auto dimensions = fields.count("dimensions");
  if (dimensions.value_or(0) > 0)
    ask.dimensions = checked_dimensions(dimensions, "dimensions", *entry);
  if (ask.inputs.empty()) return answered_empty(name);
  check_batch(ask.inputs.size(), "input", catalog.settings());
  exchange.ask = std::move(ask);
  exchange.write = [name](const Answer& made) {
    const auto& embedded = std::get<Embedded>(made.content);
    std::string text = "{\"model\":";
    append_string(text, name);
    text += ",\"embeddings\":[";
    for (size_t i = 0; i < embedded.vectors.rows; ++i) {
      if (i > 0) text += ',';
      append_floats(text, embedded.vectors.row(i));
    }
    text += "],\"total_duration\":" + std::to_string(nanoseconds(made.timing.total)) +
            ",\"load_duration\":0,\"prompt_eval_count\":" + std::to_string(made.tokens()) + "}";
    return answer(std::move(text), embedded);
  };
  return exchange;
}

/// The older route: one text, whose vector isn't normalized by the server.
Exchange embeddings(const Request& request, const Catalog& catalog) {
  Json body = parse_body(request, ContentType::kAny);
  const Fields fields(body);
  Exchange exchange;
  exchange.model = fields.take_string("model");
  const Entry entry = catalog.find(exchange.model, ModelKind::kEmbedding);
  std::string prompt = fields.take_string("prompt");
  EmbedAsk ask;
  ask.truncation.allowed = true;
  ask.truncation.max_tokens = take_context(fields, *entry);
  if (prompt.empty()) return answered({{"embedding", OrderedJson::array()}});
  ask.inputs.emplace_back(std::move(prompt));
  ask.normalize = false;
  exchange.ask = std::move(ask);
  exchange.write = [](const Answer& made) {
    const auto& embedded = std::get<Embedded>(made.content);
    std::string text = "{\"embedding\":";
    append_floats(text, embedded.vectors.row(0));
    return answer(text + "}", embedded);
  };
  return exchange;
}

Exchange tags(const Request& /*request*/, const Catalog& catalog) {
  OrderedJson list = OrderedJson::array();
  for (const Entry& entry : catalog.models()) {
    for (const std::string& name : names_of(*entry)) {
      list.push_back(listed(name, *entry));
      list.back()["capabilities"] = capabilities(*entry);
    }
  }
  return answered({{"models", list}});
}

Exchange show(const Request& request, const Catalog& catalog) {
  Json body = parse_body(request, ContentType::kAny);
  const Fields fields(body);
  std::string name = fields.take_string("model");
  if (name.empty()) name = fields.take_string("name");
  if (name.empty()) fail_missing("model", "a string");
  const Entry entry = catalog.find(name, ModelKind::kEmbedding);
  const std::string& family = entry->architecture;
  return answered({{"license", ""},
                   {"modelfile", ""},
                   {"parameters", ""},
                   {"template", ""},
                   {"details", details(*entry)},
                   {"model_info",
                    {{"general.architecture", family},
                     {"general.parameter_count", entry->parameters},
                     {family + ".context_length", entry->info.max_length},
                     {family + ".embedding_length", entry->info.dimension}}},
                   {"capabilities", capabilities(*entry)},
                   {"modified_at", to_time(entry->modified)}});
}

Exchange version(const Request& /*request*/, const Catalog& /*catalog*/) {
  return answered({{"version", kVersion}});
}

Exchange ps(const Request& /*request*/, const Catalog& catalog) {
  OrderedJson list = OrderedJson::array();
  for (const Entry& entry : catalog.models()) {
    if (entry->loaded == 0) continue;
    list.push_back(listed(names_of(*entry).front(), *entry));
    list.back()["expires_at"] = "2318-01-01T00:00:00Z";  // as Ollama says that it stays
    list.back()["size_vram"] = 0;
    list.back()["context_length"] = entry->info.max_length;
  }
  return answered({{"models", list}});
}

Response fail(const Failure& failure) {
  const bool validation = failure.kind() == FailureKind::kValidation;
  return fail_with(validation ? 400 : http_status(failure.kind()),
                   to_text({{"error", failure.what()}}));
}

}  // namespace embedforge::serve::ollama
