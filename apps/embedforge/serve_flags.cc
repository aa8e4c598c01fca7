#include "serve_flags.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/threads.h"
#include "embedforge/error.h"
#include "serve/http/text.h"
#include "serve/token_table.h"

namespace embedforge::app {
namespace {

constexpr double kLongest = 1e7;  // seconds

/// An option that its environment variable sets as well.
template <typename Value>
CLI::Option* add(CLI::App& command, const std::string& name, const std::string& variable,
                 Value& value, const std::string& text) {
  return command.add_option(name, value, text)
      ->envname(variable)
      ->allow_extra_args(false)  // of those that may be repeated: what follows is a MODEL
      ->group("Server");
}

/// The same with a default that -h shows.
template <typename Value>
CLI::Option* add_shown(CLI::App& command, const std::string& name, const std::string& variable,
                       Value& value, const std::string& text) {
  return add(command, name, variable, value, text)->capture_default_str();
}

void add_listening_flags(CLI::App& command, ServeFlags& flags) {
  auto& http = flags.http;
  add_shown(command, "--host,--hostname", "EMBEDFORGE_HOST", http.host,
            "address to listen on; 0.0.0.0 for all (HOSTNAME is taken where it is an address)");
  add_shown(command, "-p,--port", "PORT", http.port, "0: any free one")
      ->check(CLI::Range(0, 65535));
  add(command, "--uds", "EMBEDFORGE_UDS", http.uds, "a unix socket to listen on, besides");
  add(command, "--tls-cert", "EMBEDFORGE_TLS_CERT", http.tls_cert, "certificate chain, PEM");
  add(command, "--tls-key", "EMBEDFORGE_TLS_KEY", http.tls_key, "its private key, PEM");
  add(command, "--api-key", "API_KEY", flags.api_keys, "that requests must bring; may be repeated");
  add(command, "--api-keys", "EMBEDFORGE_API_KEYS", flags.api_key_files,
      "file with a key, or name: key, a line");
  add(command, "--cors-allow-origin", "CORS_ALLOW_ORIGIN", http.allow_origins,
      "origins whose pages may call (default: any)")
      ->delimiter(',');
  add_shown(command, "--prometheus-port", "PROMETHEUS_PORT", flags.prometheus_port,
            "a second port for /metrics; 0: none")
      ->check(CLI::Range(0, 65535));
  add_shown(command, "--payload-limit", "PAYLOAD_LIMIT", flags.settings.payload_limit,
            "bytes of a request's body");
  const auto seconds = CLI::Range(0.001, kLongest);
  add_shown(command, "--idle-timeout", "EMBEDFORGE_IDLE_TIMEOUT", http.idle_timeout,
            "seconds that a connection is kept without a request")
      ->check(seconds);
  add_shown(command, "--header-timeout", "EMBEDFORGE_HEADER_TIMEOUT", http.header_timeout,
            "seconds that a request's header may take")
      ->check(seconds);
  add_shown(command, "--body-timeout", "EMBEDFORGE_BODY_TIMEOUT", http.body_timeout,
            "seconds without progress of a request's body")
      ->check(seconds);
  add(command, "--max-connections", "EMBEDFORGE_MAX_CONNECTIONS", http.max_connections,
      "default: what the process may open");
  add(command, "--http-threads", "EMBEDFORGE_HTTP_THREADS", http.threads,
      "that read and write sockets (default: 1, or a quarter of the processors)")
      ->check(CLI::Range(1, 256));
}

void add_queue_flags(CLI::App& command, ServeFlags& flags) {
  auto& settings = flags.settings;
  add_shown(command, "--max-concurrent-requests", "MAX_CONCURRENT_REQUESTS",
            settings.max_concurrent_requests, "inputs in flight; more are refused with 429")
      ->check(CLI::Range(1, 1 << 30));
  add_shown(command, "--max-batch-tokens", "MAX_BATCH_TOKENS", settings.max_batch_tokens,
            "that are computed together")
      ->check(CLI::Range(1, 1 << 30));
  add(command, "--max-batch-requests", "MAX_BATCH_REQUESTS", flags.max_batch_requests,
      "inputs that are computed together (default: no bound)");
  add_shown(command, "--max-client-batch-size", "MAX_CLIENT_BATCH_SIZE",
            settings.max_client_batch_size, "inputs of a request")
      ->check(CLI::Range(1, 1 << 30));
  add_shown(command, "--max-queue-time", "EMBEDFORGE_MAX_QUEUE_TIME", flags.max_queue_time,
            "seconds of work that may wait; more is refused with 429")
      ->check(CLI::Range(0.0, kLongest));
  add_shown(command, "--request-timeout", "EMBEDFORGE_REQUEST_TIMEOUT", flags.request_timeout,
            "seconds after which a request that still waits fails with 504")
      ->check(CLI::Range(0.001, kLongest));
  add_shown(command, "--drain-timeout,--drain-time", "EMBEDFORGE_DRAIN_TIMEOUT",
            flags.drain_timeout, "seconds to answer what was accepted after SIGTERM")
      ->check(CLI::Range(0.0, kLongest));
  add(command, "--tokenization-workers", "TOKENIZATION_WORKERS", flags.tokenization_workers,
      "threads (default: one less than the processors)")
      ->check(CLI::Range(1, 1024));
}

void add_answer_flags(CLI::App& command, ServeFlags& flags) {
  auto& settings = flags.settings;
  add(command, "--model-id", "MODEL_ID", flags.model_id, "a MODEL, besides those named");
  add(command, "--alias", "EMBEDFORGE_ALIAS", flags.aliases,
      "NAME=MODEL: another name; *=MODEL takes any; may be repeated")
      ->delimiter(',');
  add(command, "--served-model-name", "SERVED_MODEL_NAME", settings.served_model_name,
      "the name in OpenAI's answers (default: MODEL)");
  add_shown(command, "--model-ttl", "EMBEDFORGE_MODEL_TTL", flags.model_ttl,
            "seconds without a request after which a model is unloaded; 0: never")
      ->check(CLI::Range(0.0, kLongest));
  add_shown(command, "--auto-truncate", "AUTO_TRUNCATE", flags.auto_truncate,
            "whether a text that is too long is cut: true, false")
      ->expected(0, 1)
      ->check(CLI::IsMember({"true", "false"}));
  add(command, "--default-prompt", "DEFAULT_PROMPT", settings.default_prompt,
      "text put before each input");
  add(command, "--default-prompt-name", "DEFAULT_PROMPT_NAME", settings.default_prompt_name,
      "of the model's prompts");
  add_shown(command, "--openai-token-ids", "EMBEDFORGE_OPENAI_TOKEN_IDS", flags.token_ids,
            "ids instead of texts: auto, model, reject, cl100k:FILE");
  command.add_flag("--log-requests", flags.log_requests, "log also what went well, without texts")
      ->envname("EMBEDFORGE_LOG_REQUESTS")
      ->group("Server");
  command.add_flag("--json-output", flags.json_output, "the log in JSON, as --log-format json")
      ->envname("JSON_OUTPUT")
      ->group("Server");
  add_shown(command, "--log-format", "EMBEDFORGE_LOG_FORMAT", flags.log_format,
            "auto (text on a terminal, else JSON), text, json")
      ->check(CLI::IsMember({"auto", "text", "json"}));
  add_shown(command, "--log-level", "LOG_LEVEL", flags.log_level, "debug, info, warn, error");
}

/// What text-embeddings-inference takes besides.
void add_tei_flags(CLI::App& command, ServeFlags& flags) {
  const std::string group;  // not shown by -h
  const auto hidden = [&](const std::string& name, const std::string& variable, auto& value) {
    return command.add_option(name, value)
        ->envname(variable)
        ->allow_extra_args(false)
        ->group(group);
  };
  hidden("--revision", "REVISION", flags.revision);
  hidden("--dtype", "DTYPE", flags.dtype);
  hidden("--dense-path", "DENSE_PATH", flags.dense_path);
  hidden("--hf-token,--hf-api-token", "HF_API_TOKEN", flags.hf_token);
  hidden("--huggingface-hub-cache", "HUGGINGFACE_HUB_CACHE", flags.hub_cache);
  hidden("--otlp-endpoint", "OTLP_ENDPOINT", flags.meaningless);
  hidden("--otlp-service-name", "OTLP_SERVICE_NAME", flags.meaningless);
  hidden("--uds-path", "UDS_PATH", flags.meaningless);
  hidden("--docker-label", "DOCKER_LABEL", flags.meaningless);
  hidden("--disable-spans", "DISABLE_SPANS", flags.meaningless)->expected(0, 1);
}

/// What the flag does here instead, for the warning.
void warn_of(const CLI::App& command, const std::string& flag, const std::string& instead) {
  if (command.get_option(flag)->count() > 0) warn(flag + " does nothing here: " + instead);
}

bool is_address(const std::string& text) {
  std::array<unsigned char, 16> bytes{};
  return inet_pton(AF_INET, text.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1;
}

void pass_on(const char* variable, const std::string& value) {
  if (!value.empty()) setenv(variable, value.c_str(), 1);
}

}  // namespace

void add_serve_flags(CLI::App& command, ServeFlags& flags) {
  command
      .add_option("MODEL", flags.models,
                  "hub ids, folders or .onnx files; the first that can do it "
                  "answers where a request names none")
      ->type_name("");
  add_listening_flags(command, flags);
  add_queue_flags(command, flags);
  add_answer_flags(command, flags);
  add_model_options(command, flags.model);
  command.get_option("--pooling")->envname("POOLING");
  command.get_option("--backend")->check(CLI::IsMember({"native", "onnxruntime"}));
  add_tei_flags(command, flags);
}

void check_serve_flags(const CLI::App& command, ServeFlags& flags) {
  warn_of(command, "--uds-path", "to listen on a unix socket, say --uds");
  warn_of(command, "--otlp-endpoint", "traces aren't sent; traceparent stands in the log");
  warn_of(command, "--otlp-service-name", "traces aren't sent");
  warn_of(command, "--disable-spans", "there are none");
  warn_of(command, "--docker-label", "GET /info says what is served");
  if (!flags.dtype.empty() && flags.dtype != "float32")
    warn("--dtype " + flags.dtype +
         " does nothing here: --compute says what layers are computed in");
  if (!flags.dense_path.empty())
    throw_usage("--dense-path can't be given: the model's modules.json says what follows pooling");
  if (!flags.revision.empty() && flags.revision != "main")
    throw_usage("--revision can't be given here: get it with `embedforge pull ID --revision " +
                flags.revision + "` and serve the folder that it prints");
  pass_on("HF_TOKEN", flags.hf_token);
  pass_on("HF_HUB_CACHE", flags.hub_cache);
  if (!flags.model_id.empty()) flags.models.insert(flags.models.begin(), flags.model_id);
  if (flags.models.empty()) throw_usage("serve needs a MODEL (or --model-id, or MODEL_ID)");
  // Containers set HOSTNAME to their name, which is nothing to listen on.
  const char* hostname = std::getenv("HOSTNAME");
  if (command.get_option("--host")->count() == 0 && hostname != nullptr && is_address(hostname))
    flags.http.host = hostname;
  flags.http.payload_limit = flags.settings.payload_limit;
  if (command.get_option("--http-threads")->count() == 0)
    flags.http.threads = std::max(1, available_threads() / 4);
}

serve::LogOptions log_options_of(const ServeFlags& flags) {
  serve::LogOptions options;
  const bool json = flags.json_output || flags.log_format == "json" ||
                    (flags.log_format == "auto" && isatty(STDERR_FILENO) == 0);
  options.format = json ? serve::LogFormat::kJson : serve::LogFormat::kText;
  options.requests = flags.log_requests;
  // text-embeddings-inference's may go on with ",crate=level".
  const std::string level = serve::lower_case(flags.log_level.substr(0, flags.log_level.find(',')));
  if (level == "debug" || level == "trace") {
    options.level = serve::LogLevel::kDebug;
  } else if (level == "warn" || level == "warning") {
    options.level = serve::LogLevel::kWarn;
  } else if (level == "error" || level == "off") {
    options.level = serve::LogLevel::kError;
  } else if (level != "info") {
    throw_usage("--log-level " + flags.log_level + ": must be debug, info, warn or error");
  }
  return options;
}

serve::ApiKeys api_keys_of(const ServeFlags& flags) {
  serve::ApiKeys keys;
  for (const std::string& key : flags.api_keys) keys.add(key);
  for (const std::string& file : flags.api_key_files) keys.add_file(file, warn);
  return keys;
}

serve::Settings settings_of(const ServeFlags& flags) {
  serve::Settings settings = flags.settings;
  settings.auto_truncate = flags.auto_truncate == "true";
  settings.tokenization_workers = flags.tokenization_workers;
  if (settings.tokenization_workers == 0)
    settings.tokenization_workers = std::clamp(available_threads() - 1, 1, 64);
  constexpr std::string_view kTable = "cl100k:";
  if (flags.token_ids.starts_with(kTable)) {
    settings.token_ids = serve::TokenIds::kTable;
    settings.token_table = serve::read_token_table(flags.token_ids.substr(kTable.size()));
  } else if (flags.token_ids == "model") {
    settings.token_ids = serve::TokenIds::kModel;
  } else if (flags.token_ids == "reject") {
    settings.token_ids = serve::TokenIds::kReject;
  } else if (flags.token_ids != "auto") {
    throw_usage("--openai-token-ids " + flags.token_ids +
                ": must be auto, model, reject or cl100k:FILE");
  }
  return settings;
}

serve::ModelsOptions models_options_of(const ServeFlags& flags) {
  serve::ModelsOptions options;
  options.models = flags.models;
  options.options = options_of(flags.model);
  options.ttl = std::chrono::duration<double>(flags.model_ttl);
  for (const std::string& alias : flags.aliases) {
    const size_t sign = alias.find('=');
    if (sign == 0 || sign == std::string::npos || sign + 1 == alias.size())
      throw_usage("--alias " + alias + ": must be NAME=MODEL");
    options.aliases.emplace_back(alias.substr(0, sign), alias.substr(sign + 1));
  }
  return options;
}

serve::QueueOptions queue_options_of(const ServeFlags& flags) {
  serve::QueueOptions options;
  options.max_batch_tokens = flags.settings.max_batch_tokens;
  options.max_batch_requests = flags.max_batch_requests;
  options.max_inputs = flags.settings.max_concurrent_requests;
  options.max_seconds = flags.max_queue_time;
  options.overdue_seconds = flags.request_timeout;
  options.threads =
      flags.model.options.threads > 0 ? flags.model.options.threads : available_threads();
  return options;
}

}  // namespace embedforge::app
