#include "http/transfer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <exception>
#include <span>

#include "embedforge/error.h"

namespace embedforge {
namespace {

constexpr size_t kLargestComplaint = 64 << 10;
constexpr long kMostRedirects = 10;

/// What the callbacks share.
struct State {
  Transfer result;
  const HttpSink* sink = nullptr;
  uint64_t from = 0;
  size_t largest = 0;
  bool begun = false;
  std::exception_ptr thrown;
};

std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

size_t on_header(const char* data, size_t /*one*/, size_t size, void* opaque) {
  State& state = *static_cast<State*>(opaque);
  try {
    const std::string_view line(data, size);
    HttpResponse& response = state.result.response;
    if (line.starts_with("HTTP/")) {  // a new answer: a redirect's or a 100's is over
      response.headers.clear();
      return size;
    }
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return size;
    std::string name(trim(line.substr(0, colon)));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    response.headers.emplace_back(std::move(name), trim(line.substr(colon + 1)));
  } catch (...) {
    state.thrown = std::current_exception();
    return 0;
  }
  return size;
}

/// Where a body of this answer starts, and how large the whole is.
void begin_body(State& state) {
  const HttpResponse& response = state.result.response;
  uint64_t offset = 0;
  std::optional<uint64_t> size = number(response.header("content-length"));
  if (response.status == 206) {  // Content-Range: bytes 5-9/10
    const std::string_view range = response.header("content-range");
    const size_t dash = range.find('-');
    const size_t slash = range.find('/');
    const auto first = range.starts_with("bytes ") && dash != std::string_view::npos
                           ? number(range.substr(6, dash - 6))
                           : std::nullopt;
    if (!first || *first != state.from) {
      throw Error(
          ErrorCode::kRemote,
          shown_url(response.url) + ": answered with another part of the file than asked for");
    }
    offset = *first;
    size = slash != std::string_view::npos ? number(range.substr(slash + 1)) : std::nullopt;
  }
  if (state.sink->begin) state.sink->begin(response, offset, size);
}

size_t take_body(State& state, CURL* handle, std::string_view bytes) {
  HttpResponse& response = state.result.response;
  if (!state.begun) {
    long status = 0;
    char* url = nullptr;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(handle, CURLINFO_EFFECTIVE_URL, &url);
    response.status = static_cast<int>(status);
    if (url != nullptr) response.url = url;
    state.begun = true;
    if (state.sink != nullptr && status < 400) begin_body(state);
  }
  if (state.sink != nullptr && response.status < 400) {
    state.sink->write(bytes);
    state.result.received += bytes.size();
    return bytes.size();
  }
  const bool complaint = response.status >= 400;
  const size_t room = (complaint ? kLargestComplaint : state.largest) - response.body.size();
  if (bytes.size() > room && !complaint) {
    state.result.too_large = true;
    return 0;
  }
  response.body.append(bytes.substr(0, room));
  return bytes.size();
}

struct BodyTarget {
  State* state;
  CURL* handle;
};

size_t on_body(const char* data, size_t /*one*/, size_t size, void* opaque) {
  const BodyTarget& target = *static_cast<BodyTarget*>(opaque);
  try {
    return take_body(*target.state, target.handle, {data, size});
  } catch (...) {
    target.state->thrown = std::current_exception();
    return 0;
  }
}

/// curl the library, unlike curl the program, doesn't read these by itself.
void use_certificates_of_environment(CURL* handle) {
  const auto value = [](const char* name) {
    const char* text = std::getenv(name);
    return text != nullptr && *text != '\0' ? text : nullptr;
  };
  const char* file = value("CURL_CA_BUNDLE");
  if (file == nullptr) file = value("SSL_CERT_FILE");
  if (file != nullptr) curl_easy_setopt(handle, CURLOPT_CAINFO, file);
  if (const char* folder = value("SSL_CERT_DIR")) curl_easy_setopt(handle, CURLOPT_CAPATH, folder);
}

void set_limits(CURL* handle, const HttpOptions& options, bool streaming) {
  const auto milliseconds = [](double seconds) { return static_cast<long>(seconds * 1000); };
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(options.connect_seconds));
  if (streaming) {
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME,
                     std::max(1L, static_cast<long>(options.idle_seconds)));
  } else {
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, milliseconds(options.total_seconds));
  }
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(handle, CURLOPT_MAXREDIRS, kMostRedirects);
  curl_easy_setopt(handle, CURLOPT_POSTREDIR, static_cast<long>(CURL_REDIR_POST_ALL));
  curl_easy_setopt(handle, CURLOPT_USERAGENT, options.user_agent.c_str());
}

void set_request(CURL* handle, const HttpRequest& request) {
  curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  if (request.method == "HEAD") {
    curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
  } else if (request.method == "POST") {
    curl_easy_setopt(handle, CURLOPT_POST, 1L);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.data());
  } else if (request.method != "GET") {
    throw_usage("HTTP method " + request.method + " isn't one of GET, HEAD and POST");
  }
}

std::unique_ptr<curl_slist, CurlFree> header_list(const HttpRequest& request,
                                                  const std::string& etag) {
  std::unique_ptr<curl_slist, CurlFree> list;
  const auto add = [&](const std::string& line) {
    for (const char c : line) {
      if (c == '\n' || c == '\r' || c == '\0')
        throw_usage("the value of header " + line.substr(0, line.find(':')) +
                    " has a line break in it");
    }
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    static_cast<void>(list.release());
    list.reset(longer);
  };
  for (const auto& [name, value] : request.headers) add(name + ": " + value);
  if (request.method == "POST") add("Expect:");  // no waiting for "100 Continue"
  if (!etag.empty()) add("If-Range: " + etag);
  return list;
}

}  // namespace

Transfer transfer_once(CURL* handle, const HttpOptions& options, const HttpRequest& request,
                       const HttpSink* sink, uint64_t from, const std::string& etag) {
  State state;
  state.sink = sink;
  state.from = from;
  state.largest = options.largest_answer;
  state.result.response.url = request.url;
  BodyTarget target{&state, handle};
  std::array<char, CURL_ERROR_SIZE> reason{};

  curl_easy_reset(handle);
  set_limits(handle, options, sink != nullptr);
  use_certificates_of_environment(handle);
  set_request(handle, request);
  const auto headers = header_list(request, from > 0 ? etag : "");
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
  const std::string range = std::to_string(from) + "-";
  if (from > 0) curl_easy_setopt(handle, CURLOPT_RANGE, range.c_str());
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, reason.data());
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &state);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &target);

  Transfer& result = state.result;
  result.code = curl_easy_perform(handle);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, nullptr);
  if (state.thrown) std::rethrow_exception(state.thrown);
  result.reason = reason[0] != '\0' ? reason.data() : curl_easy_strerror(result.code);
  long status = 0;
  char* url = nullptr;
  curl_off_t wait = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(handle, CURLINFO_EFFECTIVE_URL, &url);
  curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &wait);
  result.response.status = static_cast<int>(status);
  if (url != nullptr) result.response.url = url;
  result.retry_after = static_cast<double>(wait);
  if (result.code == CURLE_OK && sink != nullptr && !state.begun && status < 400) {
    begin_body(state);  // an empty body
  }
  return std::move(state.result);
}

}  // namespace embedforge
