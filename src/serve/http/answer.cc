#include "serve/http/answer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <ctime>
#include <random>

#include "serve/http/text.h"

namespace embedforge::serve {
namespace {

constexpr size_t kLongestRequestId = 128;

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 424:
      return "Failed Dependency";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return status < 300 ? "OK" : "Error";
  }
}

/// The time of this second as HTTP writes it (RFC 9110, 5.6.7).
const std::string& http_date() {
  thread_local std::time_t made_for = 0;
  thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now == made_for) return text;
  static constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 64> rest{};
  std::strftime(rest.data(), rest.size(), " %Y %H:%M:%S GMT", &utc);
  const std::string day = std::to_string(utc.tm_mday);
  text = std::string(kDays[utc.tm_wday]) + ", " + (day.size() < 2 ? "0" : "") + day + " " +
         kMonths[utc.tm_mon] + rest.data();
  made_for = now;
  return text;
}

void add_line(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ");
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    head += (byte < 0x20 && c != '\t') || byte == 0x7f ? ' ' : c;
  }
  head += "\r\n";
}

void set_header(Headers& headers, std::string_view name, std::string_view value) {
  headers.emplace_back(name, value);
}

}  // namespace

Cors::Cors(std::vector<std::string> origins)
    : origins_(std::move(origins)), any_(std::ranges::find(origins_, "*") != origins_.end()) {}

bool Cors::allows(std::string_view origin) const {
  return any_ || std::ranges::find(origins_, origin) != origins_.end();
}

bool Cors::is_preflight(const Request& request) {
  return request.method == "OPTIONS" && !request.header("origin").empty() &&
         !request.header("access-control-request-method").empty();
}

Response Cors::answer_preflight(const Request& request) const {
  Response response{.status = 204, .content_type = ""};
  if (!allows(request.header("origin"))) return response;
  std::string fields = "authorization, content-type";
  const std::string_view asked = request.header("access-control-request-headers");
  if (!asked.empty()) fields.append(", ").append(asked);
  set_header(response.headers, "Access-Control-Allow-Methods", "GET, POST");
  set_header(response.headers, "Access-Control-Allow-Headers", fields);
  set_header(response.headers, "Access-Control-Max-Age", "86400");
  return response;
}

void Cors::add_to(Headers& headers, const Request& request) const {
  const std::string_view origin = request.header("origin");
  if (!any_) set_header(headers, "Vary", "Origin");
  if (origin.empty() || !allows(origin)) return;
  set_header(headers, "Access-Control-Allow-Origin", any_ ? "*" : origin);
  set_header(headers, "Access-Control-Expose-Headers", "*");
}

std::string request_id_of(const Request& request) {
  const std::string_view given = request.header("x-request-id");
  const bool usable = std::ranges::all_of(
      given, [](char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '\\'; });
  if (!given.empty() && given.size() <= kLongestRequestId && usable) return std::string(given);
  thread_local std::mt19937_64 random = [] {
    std::random_device device;
    std::seed_seq seed = {device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id(32, '0');
  for (size_t i = 0; i < id.size(); i += 16) {
    uint64_t bits = random();
    for (size_t j = i; j < i + 16; ++j, bits >>= 4U) id[j] = kDigits[bits & 15U];
  }
  return id;
}

bool has_body(int status) { return status >= 200 && status != 204 && status != 304; }

std::string answer_head(const Response& response, const Request& request, After after) {
  std::string head;
  head.reserve(512);
  head.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  head.append(reason_phrase(response.status)).append("\r\n");
  if (!response.content_type.empty()) add_line(head, "Content-Type", response.content_type);
  if (has_body(response.status))
    add_line(head, "Content-Length", std::to_string(response.body.size()));
  for (const auto& [name, value] : response.headers) add_line(head, name, value);
  add_line(head, "Date", http_date());
  add_line(head, "Server", "embedforge");
  add_line(head, "X-Request-Id", request.id);
  if (after == After::kClose) add_line(head, "Connection", "close");
  if (after == After::kKeepAlive10) add_line(head, "Connection", "keep-alive");
  head += "\r\n";
  return head;
}

}  // namespace embedforge::serve
