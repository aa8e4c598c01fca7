// The backends of the providers that are reached over HTTP.
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "backends/backend.h"
#include "backends/providers.h"
#include "embedforge/error.h"
#include "http/client.h"

namespace embedforge {
namespace {

using nlohmann::json;

std::string environment(const char* name) {
  const char* value = name != nullptr ? std::getenv(name) : nullptr;
  return value != nullptr ? value : "";
}

/// Without a slash at the end. OLLAMA_HOST may lack scheme and port.
std::string base_url(const Provider& provider, const std::string& given) {
  std::string url = !given.empty() ? given : environment(provider.url_name);
  if (url.empty()) url = provider.address;
  if (std::string_view(provider.name) == "ollama") {
    if (url.find("://") == std::string::npos) url = "http://" + url;
    if (url.find_first_of(":/", url.find("://") + 3) == std::string::npos) url += ":11434";
  }
  while (url.ends_with('/')) url.pop_back();
  return url;
}

class RemoteBackend : public TextBackend {
 public:
  RemoteBackend(const std::string& model, const EmbedderOptions& options)
      : provider_(find_provider(options.backend)),
        model_(model),
        url_(base_url(provider_, options.server.base_url)),
        http_({.total_seconds = options.server.timeout, .retries = options.server.retries}),
        most_texts_(provider_.most_texts) {
    const bool needs_model = options.backend != "tei";
    if (needs_model && model_.empty())
      throw_usage("provider " + options.backend + " needs the name of a model");
    const std::string& given = options.server.api_key;
    const std::string key = !given.empty() ? given : environment(provider_.key_name);
    if (key.empty() && provider_.key_required && url_ == provider_.address) {
      throw_bad_input("provider " + options.backend + " needs a key: set " + provider_.key_name +
                      " or give api_key");
    }
    if (!key.empty()) headers_.emplace_back("Authorization", "Bearer " + key);
  }

  Matrix embed(const TextBatch& batch) const override {
    ProviderCall call{model_, {}, std::string(batch.input_type), std::string(batch.prompt_name)};
    if (!call.prompt_name.empty() && std::string_view(provider_.name) != "tei") {
      // Elsewhere these two names stand for the input type.
      if (call.prompt_name != "query" && call.prompt_name != "document") {
        throw_usage(std::string("provider ") + provider_.name + " keeps no prompt \"" +
                    call.prompt_name + "\"; known are query and document");
      }
      call.input_type = std::exchange(call.prompt_name, "");
    }
    Matrix out;
    const size_t most =
        batch.batch_size > 0 ? std::min(batch.batch_size, most_texts()) : most_texts();
    for (size_t at = 0; at < batch.texts.size();) {
      call.texts.clear();
      size_t bytes = 0;
      while (at + call.texts.size() < batch.texts.size() && call.texts.size() < most) {
        const std::string_view text = batch.texts[at + call.texts.size()];
        bytes += text.size() + batch.prompt.size();
        if (bytes > provider_.most_bytes && !call.texts.empty()) break;
        call.texts.emplace_back(std::string(batch.prompt) + std::string(text));
      }
      append(ask(call, batch.first + at), out);
      at += call.texts.size();
    }
    return out;
  }
  EmbedderInfo info() const override {
    EmbedderInfo info;
    info.backend = provider_.name;
    return info;
  }

 private:
  /// As many as the server takes: text-embeddings-inference says so itself.
  size_t most_texts() const {
    if (std::string_view(provider_.name) != "tei") return most_texts_;
    const std::lock_guard lock(mutex_);
    if (asked_) return most_texts_;
    const HttpResponse response = http_.send({url_ + "/info", "GET", headers_, ""});
    const json info = json::parse(response.body, nullptr, false);
    if (response.status == 200 && info.is_object() && info.contains("max_client_batch_size") &&
        info["max_client_batch_size"].is_number_unsigned()) {
      most_texts_ = std::max<size_t>(info["max_client_batch_size"].get<size_t>(), 1);
    }
    asked_ = true;
    return most_texts_;
  }

  ProviderAnswer ask(const ProviderCall& call, size_t first) const {
    HttpRequest request{url_ + provider_.path, "POST", headers_, ""};
    request.headers.emplace_back("Content-Type", "application/json");
    request.headers.emplace_back("Accept", "application/json");
    try {
      request.body = provider_.body(call).dump();
    } catch (const json::type_error&) {
      throw_bad_input("text " + std::to_string(first) + " or one of the " +
                      std::to_string(call.texts.size()) + " after it is not valid UTF-8");
    }
    const HttpResponse response = http_.send(request);
    count(1, 0);
    if (response.status < 200 || response.status >= 300) fail(request, response);
    try {
      const json body = json::parse(response.body);
      ProviderAnswer answer = provider_.parse(body, call.texts.size());
      check(answer, call.texts.size());
      if (answer.tokens == 0) answer.tokens = header_tokens(response);
      count(0, answer.tokens);
      return answer;
    } catch (const json::exception&) {
      throw Error(ErrorCode::kRemote, where(request) + " answered with something that is no JSON");
    } catch (const Error& error) {
      throw Error(ErrorCode::kRemote, where(request) + ": " + error.what());
    }
  }

  /// text-embeddings-inference counts in a header.
  static uint64_t header_tokens(const HttpResponse& response) {
    const std::string_view text = response.header("x-compute-tokens");
    uint64_t tokens = 0;
    std::from_chars(text.data(), text.data() + text.size(), tokens);
    return tokens;
  }

  std::string where(const HttpRequest& request) const {
    return std::string("provider ") + provider_.name + ": POST " + shown_url(request.url);
  }

  [[noreturn]] void fail(const HttpRequest& request, const HttpResponse& response) const {
    std::string message =
        std::string("provider ") + provider_.name + ": " + http_failure(request, response);
    if (response.status == 401 && provider_.key_name != nullptr)
      message += std::string("; check ") + provider_.key_name + " or api_key";
    throw Error(ErrorCode::kRemote, message);
  }

  static void check(const ProviderAnswer& answer, size_t texts) {
    if (answer.rows.size() != texts) {
      throw Error(ErrorCode::kRemote, "answered with " + std::to_string(answer.rows.size()) +
                                          " embeddings for " + std::to_string(texts) + " texts");
    }
    for (const std::vector<float>& row : answer.rows) {
      if (row.empty() || row.size() != answer.rows.front().size())
        throw Error(ErrorCode::kRemote,
                    "answered with embeddings that are missing or of different lengths");
    }
  }

  void append(const ProviderAnswer& answer, Matrix& out) const {
    const size_t columns = answer.rows.front().size();
    if (out.rows > 0 && out.columns != columns) {
      throw Error(ErrorCode::kRemote,
                  std::string("provider ") + provider_.name +
                      " answered with embeddings of different lengths in two requests");
    }
    out.columns = columns;
    out.rows += answer.rows.size();
    for (const std::vector<float>& row : answer.rows)
      out.values.insert(out.values.end(), row.begin(), row.end());
  }

  const Provider& provider_;
  std::string model_;
  std::string url_;
  HttpHeaders headers_;
  HttpClient http_;
  mutable std::mutex mutex_;
  mutable bool asked_ = false;
  mutable size_t most_texts_;
};

}  // namespace

std::unique_ptr<TextBackend> open_remote(const std::string& model, const EmbedderOptions& options) {
  return std::make_unique<RemoteBackend>(model, options);
}

}  // namespace embedforge
