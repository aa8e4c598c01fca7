#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "commands.h"
#include "embedforge/error.h"
#include "serve/service.h"
#include "serve_flags.h"
#include "serve_signals.h"

namespace embedforge::app {
namespace {

using serve::LogLevel;

/// /metrics on a port of its own.
class MetricsHandler : public serve::Handler {
 public:
  explicit MetricsHandler(const serve::Metrics& metrics) : metrics_(metrics) {}
  std::optional<serve::Response> admit(serve::Request& request, std::optional<uint64_t>) override {
    if (request.path == "/metrics" && (request.method == "GET" || request.method == "HEAD"))
      return std::nullopt;
    return refuse(request, 404, "there is only GET /metrics on this port");
  }
  void handle(serve::Request, serve::Cancelled, serve::Done done) override {
    done({.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics_.text()});
  }
  serve::Response refuse(const serve::Request&, int status, const std::string& why) override {
    return {.status = status, .content_type = "text/plain; charset=utf-8", .body = why + "\n"};
  }
  void finished(const serve::Request&, const serve::Response&, uint64_t, double) override {}

 private:
  const serve::Metrics& metrics_;
};

/// A server of metrics, if one is asked for, on a thread of its own.
class MetricsServer {
 public:
  MetricsServer(const ServeFlags& flags, const serve::Metrics& metrics) : handler_(metrics) {
    if (flags.prometheus_port == 0) return;
    serve::HttpOptions options;
    options.host = flags.http.host.empty() ? "127.0.0.1" : flags.http.host;
    options.port = flags.prometheus_port;
    server_ = std::make_unique<serve::HttpServer>(options, handler_);
    thread_ = std::thread([this] { server_->run(); });
  }
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;
  ~MetricsServer() {
    if (!server_) return;
    server_->drain(1);
    thread_.join();
  }

 private:
  MetricsHandler handler_;
  std::unique_ptr<serve::HttpServer> server_;
  std::thread thread_;
};

std::string url_of(const serve::HttpOptions& http, int port) {
  if (http.host.empty()) return "unix:" + http.uds.string();
  const bool v6 = http.host.find(':') != std::string::npos;
  std::string url = http.tls_cert.empty() ? "http://" : "https://";
  url += (v6 ? "[" + http.host + "]" : http.host) + ":" + std::to_string(port);
  if (!http.uds.empty()) url += " and unix:" + http.uds.string();
  return url;
}

std::string ready_line(const ServeFlags& flags, const serve::Models& models, int port,
                       int threads) {
  std::string names;
  for (const auto& entry : models.models()) {
    names += (names.empty() ? "" : ", ") + entry->id + " (" + entry->compute + ")";
  }
  return "ready at " + url_of(flags.http, port) + ": " + names + ", " + std::to_string(threads) +
         (threads == 1 ? " thread" : " threads");
}

void warn_if_open(const ServeFlags& flags, bool has_keys, serve::AccessLog& log) {
  const std::string& host = flags.http.host;
  const bool local =
      host.empty() || host.starts_with("127.") || host == "localhost" || host == "::1";
  if (!local && !has_keys)
    log.say(LogLevel::kWarn,
            "whoever reaches " + host + " may use this server: no --api-key is set");
}

void run_serve(const CLI::App& command, ServeFlags& flags) {
  check_serve_flags(command, flags);
  ServeSignals signals;
  serve::AccessLog log(log_options_of(flags));
  const serve::ApiKeys keys = api_keys_of(flags);
  serve::Models models(models_options_of(flags), settings_of(flags));

  serve::ServiceOptions options;
  options.queue = queue_options_of(flags);
  if (!keys.empty())
    options.key_of = [&keys](const serve::Request& request) { return keys.name_of(request); };
  options.log = [&log](const serve::Request& request, const serve::Response& sent, uint64_t bytes,
                       double seconds) { log.request(request, sent, bytes, seconds); };
  serve::Service service(models, options);
  serve::HttpServer server(flags.http, service);
  const MetricsServer metrics(flags, service.metrics());

  signals.attach({
      .stop =
          [&] {
            log.say(LogLevel::kInfo, "stopping: what was accepted is answered");
            service.begin_drain();
            server.drain(flags.drain_timeout);
          },
      .reload =
          [&] {
            service.reload([&log](const std::string& failure) {
              failure.empty() ? log.say(LogLevel::kInfo, "reloaded")
                              : log.say(LogLevel::kError, "not reloaded: " + failure);
            });
          },
      .tick = [&] { service.tick(); },
  });
  warn_if_open(flags, !keys.empty(), log);
  log.say(LogLevel::kInfo, ready_line(flags, models, server.port(), options.queue.threads));
  server.run();
  signals.detach();
  log.say(LogLevel::kInfo, "stopped");
}

}  // namespace

void add_serve(CLI::App& app) {
  const auto flags = std::make_shared<ServeFlags>();
  CLI::App* command = app.add_subcommand(
      "serve", "Answer embedding and rerank requests over HTTP, in the words of many APIs");
  add_serve_flags(*command, *flags);
  command->footer(
      "Each flag of this group has an environment variable, which -h names.\n"
      "Examples:\n"
      "  embedforge serve sentence-transformers/all-MiniLM-L6-v2\n"
      "  embedforge serve minilm reranker --alias small=minilm --host 0.0.0.0 --api-keys keys.txt");
  command->callback([command, flags] { run_serve(*command, *flags); });
}

}  // namespace embedforge::app
