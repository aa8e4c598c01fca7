#include "http/client.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <random>
#include <thread>

#include "embedforge/error.h"
#include "http/transfer.h"

namespace embedforge {
namespace {

/// Failures of the connection, before or after the server took the request.
bool is_connection_failure(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

bool is_passing_status(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

bool worth_another_try(const Transfer& t, bool streaming) {
  if (t.code == CURLE_OK) return is_passing_status(t.response.status);
  // A slow answer would be as slow again; a stalled download goes on from where it stalled.
  return is_connection_failure(t.code) ||
         (streaming && t.code == CURLE_OPERATION_TIMEDOUT && t.received > 0);
}

/// Seconds before try `number` + 2: doubling, with jitter so that clients don't come back together.
double backoff(const HttpOptions& options, int number) {
  thread_local std::minstd_rand random(std::random_device{}());
  const double wait = options.first_wait * static_cast<double>(1U << std::min(number, 10));
  return std::min(wait, options.longest_wait) *
         std::uniform_real_distribution<double>(0.5, 1)(random);
}

std::string seconds_text(double seconds) {
  std::string text = std::to_string(seconds);
  return text.substr(0, text.find('.')) + " s";
}

const char* reason_phrase(int status) {
  switch (status) {
    case 400:
      return " Bad Request";
    case 401:
      return " Unauthorized";
    case 402:
      return " Payment Required";
    case 403:
      return " Forbidden";
    case 404:
      return " Not Found";
    case 413:
      return " Content Too Large";
    case 422:
      return " Unprocessable Content";
    case 429:
      return " Too Many Requests";
    case 500:
      return " Internal Server Error";
    case 502:
      return " Bad Gateway";
    case 503:
      return " Service Unavailable";
    case 504:
      return " Gateway Timeout";
    default:
      return "";
  }
}

/// One line, at most 300 bytes, cut between characters.
std::string one_line(std::string_view text) {
  constexpr size_t kMost = 300;
  std::string line;
  for (const char c : text.substr(0, kMost)) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    if (control && (line.empty() || line.back() == ' ')) continue;
    line += control ? ' ' : c;
  }
  if (text.size() > kMost) {
    while (!line.empty() && (static_cast<unsigned char>(line.back()) & 0xC0U) == 0x80U)
      line.pop_back();
    if (!line.empty() && static_cast<unsigned char>(line.back()) >= 0xC0U) line.pop_back();
    line += "...";
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

[[noreturn]] void fail(const HttpRequest& request, const Transfer& t, const HttpOptions& options,
                       int tries) {
  const std::string where = request.method + " " + shown_url(request.url);
  if (t.too_large) {
    throw Error(ErrorCode::kRemote, where + ": the answer is larger than " +
                                        std::to_string(options.largest_answer) + " bytes");
  }
  if (t.code == CURLE_URL_MALFORMAT || t.code == CURLE_UNSUPPORTED_PROTOCOL) {
    throw_usage("\"" + shown_url(request.url) + "\" is no http:// or https:// URL");
  }
  std::string message = where + " failed: " + one_line(t.reason);
  if (tries > 1) message += " (tried " + std::to_string(tries) + " times)";
  throw Error(ErrorCode::kRemote, message);
}

void start_curl() {
  static const CURLcode kStarted = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (kStarted != CURLE_OK) throw Error(ErrorCode::kBug, "libcurl does not start");
}

}  // namespace

std::string_view HttpResponse::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

std::string shown_url(std::string_view url) {
  std::string shown(url.substr(0, url.find_first_of("?#")));
  const size_t start = shown.find("://");
  if (start != std::string::npos) {
    const size_t end = std::min(shown.find('/', start + 3), shown.size());
    const size_t at = shown.rfind('@', end);
    if (at != std::string::npos && at > start) shown.erase(start + 3, at + 1 - (start + 3));
  }
  return one_line(shown);
}

std::string http_failure(const HttpRequest& request, const HttpResponse& response) {
  std::string message = request.method + " " + shown_url(response.url) + " answered " +
                        std::to_string(response.status) + reason_phrase(response.status);
  if (const std::string body = one_line(response.body); !body.empty()) message += ": " + body;
  return message;
}

struct HttpClient::Impl {
  HttpOptions options;
  std::mutex mutex;
  std::vector<CurlHandle> idle;  // each with its open connections

  CurlHandle take() {
    const std::lock_guard lock(mutex);
    if (idle.empty()) {
      CurlHandle fresh(curl_easy_init());
      if (fresh == nullptr) throw std::bad_alloc();
      return fresh;
    }
    CurlHandle handle = std::move(idle.back());
    idle.pop_back();
    return handle;
  }
  void give_back(CurlHandle handle) {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(handle));
  }

  /// Tries until it works, can't work, or was tried often enough.
  HttpResponse run(const HttpRequest& request, const HttpSink* sink, uint64_t from) {
    CurlHandle handle = take();
    std::string etag;
    for (int tried = 0;; ++tried) {
      Transfer t = transfer_once(handle.get(), options, request, sink, from, etag);
      from = t.received > 0 && t.response.status == 200 ? t.received : from + t.received;
      if (const std::string_view tag = t.response.header("etag"); !tag.starts_with("W/"))
        etag = tag;
      // What a server doesn't mark can't be told from a file that has changed meanwhile.
      const bool resumable = t.received == 0 || !etag.empty();
      if (!resumable) from = 0;
      if (tried == options.retries || !worth_another_try(t, sink != nullptr) ||
          t.retry_after > options.longest_wait) {
        give_back(std::move(handle));
        if (t.code != CURLE_OK) fail(request, t, options, tried + 1);
        if (t.retry_after > options.longest_wait && is_passing_status(t.response.status)) {
          throw Error(ErrorCode::kRemote, http_failure(request, t.response) + "; it asks to wait " +
                                              seconds_text(t.retry_after));
        }
        return std::move(t.response);
      }
      const double wait = t.retry_after > 0 ? t.retry_after : backoff(options, tried);
      std::this_thread::sleep_for(std::chrono::duration<double>(wait));
    }
  }
};

HttpClient::HttpClient(HttpOptions options) : impl_(std::make_unique<Impl>()) {
  start_curl();
  impl_->options = std::move(options);
}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;

HttpResponse HttpClient::send(const HttpRequest& request) const {
  return impl_->run(request, nullptr, 0);
}

HttpResponse HttpClient::send_checked(const HttpRequest& request) const {
  HttpResponse response = send(request);
  if (response.status >= 400) throw Error(ErrorCode::kRemote, http_failure(request, response));
  return response;
}

HttpResponse HttpClient::download(const HttpRequest& request, const HttpSink& sink,
                                  uint64_t from) const {
  HttpResponse response = impl_->run(request, &sink, from);
  if (response.status >= 400) throw Error(ErrorCode::kRemote, http_failure(request, response));
  return response;
}

}  // namespace embedforge
