// Takes: an HTTP request. Gives: the answer, whole or piece by piece. Never: retries what could
// make matters worse; sends credentials to another host than the one they were meant for; keeps an
// answer larger than allowed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace embedforge {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string url;  // http:// or https://
  std::string method = "GET";
  HttpHeaders headers;
  std::string body;
};

struct HttpResponse {
  int status = 0;
  std::string url;      // the last one, after redirects
  HttpHeaders headers;  // of the last answer; names in lower case
  std::string body;

  /// The header's value; "" when it is absent. `name` in lower case.
  std::string_view header(std::string_view name) const;
};

struct HttpOptions {
  double connect_seconds = 10;
  double total_seconds = 120;  // of one try of send()
  double idle_seconds = 60;    // of download(): without a byte
  int retries = 3;             // tries after the first
  double first_wait = 0.5;     // seconds before the second try; doubles with each, with jitter
  double longest_wait = 60;    // a server that asks for more (Retry-After) is given up on
  size_t largest_answer = size_t{256} << 20U;  // bytes of a body that send() keeps
  std::string user_agent = "embedforge";
};

/// Where a download goes.
struct HttpSink {
  /// Called when an answer with a body begins: the next bytes belong at `offset` (0 when the server
  /// starts from the beginning although a later part was asked for). `size`: of the whole, when
  /// known.
  std::function<void(const HttpResponse& head, uint64_t offset, std::optional<uint64_t> size)>
      begin;
  std::function<void(std::string_view bytes)> write;
};

/// Keeps connections open between requests. Thread-safe.
///
/// Proxies (http_proxy, https_proxy, all_proxy, no_proxy) and certificates (CURL_CA_BUNDLE,
/// SSL_CERT_FILE, SSL_CERT_DIR) come from the environment, as with curl. Redirects are followed (at
/// most 10; a POST stays one); an Authorization header isn't sent on to another host.
///
/// Retried: connections that fail or break, and the statuses 429, 502, 503 and 504, whose
/// Retry-After is kept to. Requests must therefore be safe to repeat. Nothing else is retried.
class HttpClient {
 public:
  explicit HttpClient(HttpOptions options = {});
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;
  ~HttpClient();

  /// The answer, whatever its status. Errors: kRemote with the URL when there is none, or none that
  /// fits into largest_answer; kUsage for a URL that is none.
  HttpResponse send(const HttpRequest& request) const;

  /// The same, with status 400 and above as an error: kRemote with URL, status and the start of the
  /// body.
  HttpResponse send_checked(const HttpRequest& request) const;

  /// Streams the body from byte `from` on. A connection that breaks is taken up again where it
  /// broke, if the server's file is still the same (ETag). Errors: as send_checked; whatever the
  /// sink throws. Gives the last answer without a body.
  HttpResponse download(const HttpRequest& request, const HttpSink& sink, uint64_t from = 0) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// "GET https://host/path answered 404 Not Found: {"error":...", in one line; the URL without
/// credentials or query.
std::string http_failure(const HttpRequest& request, const HttpResponse& response);

/// A URL as messages show it: without user, password, query and fragment.
std::string shown_url(std::string_view url);

}  // namespace embedforge
