#include "serve/service.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "embedforge/error.h"
#include "serve/pages.h"

namespace embedforge::serve {
namespace {

constexpr std::string_view kModels = "/models/";

/// Pages that anybody may see, with or without a key.
bool is_open(std::string_view path) {
  constexpr std::string_view kOpen[] = {"/",
                                        "/health",
                                        "/livez",
                                        "/readyz",
                                        "/ping",
                                        "/docs",
                                        "/openapi.json",
                                        "/metrics",
                                        "/.well-known/live",
                                        "/.well-known/ready",
                                        "/api-doc/openapi.json"};
  return std::ranges::find(kOpen, path) != std::end(kOpen);
}

Response plain(int status, std::string body) {
  return {.status = status, .content_type = "text/plain; charset=utf-8", .body = std::move(body)};
}

Response page(std::string_view html) {
  Response response{.content_type = "text/html; charset=utf-8", .body = std::string(html)};
  response.headers = {{"content-security-policy", std::string(page_security_policy())},
                      {"x-content-type-options", "nosniff"},
                      {"referrer-policy", "no-referrer"},
                      {"cache-control", "no-cache"}};
  return response;
}

bool is_get(const Request& request) { return request.method == "GET" || request.method == "HEAD"; }

/// Of a path: those of its routes, and those of what the server says of itself.
std::string methods_of(std::string_view path, const std::string& of_routes) {
  if (!is_open(path) || of_routes.starts_with("GET")) return of_routes;
  return of_routes.empty() ? "GET, HEAD" : "GET, HEAD, " + of_routes;
}

size_t workers_of(const Settings& settings) {
  return std::max<size_t>(settings.tokenization_workers, 1);
}

FailureKind kind_of_status(int status) {
  switch (status) {
    case 405:
      return FailureKind::kMethod;
    case 413:
      return FailureKind::kTooLarge;
    case 503:
      return FailureKind::kUnready;
    case 500:
      return FailureKind::kBug;
    default:
      return FailureKind::kSyntax;
  }
}

}  // namespace

Service::Service(Models& models, ServiceOptions options)
    : models_(models),
      options_(std::move(options)),
      workers_(workers_of(models.settings())),
      queue_(options_.queue, metrics_) {}

Service::~Service() { workers_.join(); }

Service::Found Service::find(const Request& request) const {
  Found found;
  std::string_view path = request.path;
  const auto look = [&](std::string_view rest) {
    for (const Route& route : routes()) {
      if (!path_fits(route, rest)) continue;
      const bool fits =
          route.method == request.method || (route.method == "GET" && request.method == "HEAD");
      if (fits) {
        found.route = &route;
        return true;
      }
      found.allowed = allowed_methods(rest);
    }
    return false;
  };
  if (look(path) || !path.starts_with(kModels)) return found;
  // NAME may have slashes itself: the shortest that leaves a route.
  path.remove_prefix(kModels.size());
  for (size_t slash = path.find('/'); slash != std::string_view::npos;
       slash = path.find('/', slash + 1)) {
    if (!look(path.substr(slash))) continue;
    found.model = path.substr(0, slash);
    return found;
  }
  return found;
}

Response Service::failure(const Request& request, const Failure& failure) {
  const Found found = find(request);
  if (found.route != nullptr) return failed(metrics_, *found.route, failure);
  metrics_.count("te_request_failure", metric_label("err", "validation"));
  return fail_unknown(failure);
}

Response Service::health() const {
  if (queue_.stalled() <= options_.stall_seconds) return {.content_type = "text/plain"};
  return {.status = 503,
          .body = R"({"error":"the engine makes no progress","error_type":"unhealthy"})"};
}

std::optional<Response> Service::own_answer(const Request& request) const {
  const std::string_view path = request.path;
  if (!is_get(request)) return std::nullopt;
  if (path == "/livez") return plain(200, "ok\n");
  if (path == "/health" || path == "/ping") return health();
  if (path == "/readyz") {
    if (draining_) return plain(503, "draining\n");
    return health().status == 200 ? plain(200, "ready\n") : plain(503, "no progress\n");
  }
  if (path == "/metrics") {
    Response response = plain(200, metrics_.text());
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return response;
  }
  if (path == "/docs") return page(docs_page());
  if (path == "/openapi.json" || path == "/api-doc/openapi.json")
    return Response{.body = std::string(openapi_json())};
  if (path != "/") return std::nullopt;
  if (request.header("accept").find("text/html") != std::string_view::npos)
    return page(playground_page());
  return plain(200, "Ollama is running");
}

std::optional<Response> Service::admit(Request& request, std::optional<uint64_t> length) {
  const bool own = is_get(request) && is_open(request.path);
  if (options_.key_of && !own) {
    const std::optional<std::string> key = options_.key_of(request);
    if (!key) {
      Response refused =
          failure(request, Failure(FailureKind::kUnauthorized,
                                   "no API key, or a wrong one: send Authorization: Bearer KEY"));
      refused.headers.emplace_back("www-authenticate", "Bearer");
      return refused;
    }
    request.key = *key;
  }
  if (own || request.path == "/admin/reload") return std::nullopt;
  const Found found = find(request);
  if (found.route == nullptr) {
    if (const std::string allowed = methods_of(request.path, found.allowed); !allowed.empty()) {
      Response refused =
          failure(request, Failure(FailureKind::kMethod, request.path + " takes " + allowed));
      refused.headers.emplace_back("allow", allowed);
      return refused;
    }
    return failure(request, Failure(FailureKind::kNotFound,
                                    "no route " + request.path + "; GET /docs lists them"));
  }
  if (length && *length > models_.settings().payload_limit)
    return failed(metrics_, *found.route, Failure(FailureKind::kTooLarge, "length limit exceeded"));
  return std::nullopt;
}

void Service::handle(Request request, Cancelled cancelled, Done done) {
  if (auto own = own_answer(request)) {
    done(std::move(*own));
    return;
  }
  if (request.path == "/admin/reload") {
    if (request.method != "POST") {
      done(fail_unknown(Failure(FailureKind::kMethod, "/admin/reload takes POST")));
    } else if (!options_.key_of) {
      done(fail_unknown(Failure(FailureKind::kUnauthorized,
                                "/admin/reload needs a server with --api-key; or send SIGHUP")));
    } else {
      reload([done = std::move(done)](const std::string& failure) {
        done(failure.empty() ? Response{.body = R"({"status":"reloaded"})"}
                             : fail_unknown(Failure(FailureKind::kModel, failure)));
      });
    }
    return;
  }
  const Found found = find(request);
  if (found.route == nullptr) {
    done(failure(request, Failure(FailureKind::kNotFound, "no route " + request.path)));
    return;
  }
  answer({models_, queue_, metrics_, workers_}, *found.route, found.model, std::move(request),
         std::move(cancelled), std::move(done));
}

Response Service::refuse(const Request& request, int status, const std::string& why) {
  Response response = failure(request, Failure(kind_of_status(status), why));
  response.status = status;
  return response;
}

void Service::finished(const Request& request, const Response& sent, uint64_t body_bytes,
                       double seconds) {
  if (options_.log) options_.log(request, sent, body_bytes, seconds);
}

void Service::reload(std::function<void(const std::string&)> done) {
  boost::asio::post(workers_, [this, done = std::move(done)] {
    std::string failure;
    try {
      models_.reload();
    } catch (const std::exception& error) {
      failure = error.what();
    }
    done(failure);
  });
}

}  // namespace embedforge::serve
