#include "serve/http/request_parser.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "serve/http/text.h"

namespace embedforge::serve {
namespace {

constexpr size_t kLongestChunkLine = 256;
constexpr size_t kLongestMethod = 32;
constexpr size_t kFirstBodyBytes = 256 << 10;  // reserved before any of the body has come

constexpr auto kTokenChars = [] {
  std::array<bool, 256> table{};
  for (const char c : std::string_view(
           "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    table[static_cast<unsigned char>(c)] = true;
  return table;
}();

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return kTokenChars[static_cast<unsigned char>(c)];
  });
}

bool is_field_value(std::string_view text) {
  return std::ranges::none_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f;
  });
}

/// Of a request target: visible ASCII without a fragment.
bool is_target(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
}

bool is_host(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return c > 0x20 && c < 0x7f &&
           std::string_view("/\\@,?#\"<>{}|^`").find(c) == std::string_view::npos;
  });
}

/// nullopt: a broken escape, or one of a control character.
std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    unsigned byte = 0;
    const char* first = text.data() + i + 1;
    if (i + 2 >= text.size() || std::from_chars(first, first + 2, byte, 16).ptr != first + 2)
      return std::nullopt;
    if (byte < 0x20 || byte == 0x7f) return std::nullopt;
    decoded += static_cast<char>(byte);
    i += 2;
  }
  return decoded;
}

std::string_view trim_blanks(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == text.npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

RequestParser::RequestParser(size_t header_limit, size_t payload_limit)
    : header_limit_(header_limit), payload_limit_(payload_limit) {}

std::optional<uint64_t> RequestParser::length() const {
  if (chunked_) return std::nullopt;
  return left_;
}

size_t RequestParser::feed(std::string_view bytes) {
  if (failed_ != 0 || done()) return 0;
  return header_done() ? feed_body(bytes) : feed_header(bytes);
}

void RequestParser::fail(int status, std::string why) {
  failed_ = status;
  why_ = std::move(why);
}

/// The line that begins at `used`, without its end; none: not all of it is there, or it fails.
/// `limit`: how long it may be, its end included.
std::optional<std::string_view> RequestParser::take_line(std::string_view bytes, size_t& used,
                                                         size_t limit) {
  const std::string_view rest = bytes.substr(used);
  const size_t end = rest.find('\n');
  if (std::min(end, rest.size()) >= limit) {
    if (state_ < State::kBody || state_ == State::kTrailers)
      fail(431, "the header is longer than " + std::to_string(header_limit_) + " bytes");
    else
      fail(400, "a chunk's size line is too long");
    return std::nullopt;
  }
  if (end == rest.npos) return std::nullopt;
  if (end == 0 || rest[end - 1] != '\r') {
    fail(400, "a line of the header ends without a carriage return");
    return std::nullopt;
  }
  used += end + 1;
  return rest.substr(0, end - 1);
}

size_t RequestParser::feed_header(std::string_view bytes) {
  size_t used = 0;
  if (!started() && !bytes.empty() && !is_token(bytes.substr(0, 1)) && bytes[0] != '\r')
    fail(400, "this is no HTTP request");  // said at once to who speaks TLS here
  while (failed_ == 0 && !header_done()) {
    const size_t before = used;
    const auto line = take_line(bytes, used, header_limit_ - header_bytes_);
    if (!line) break;
    header_bytes_ += used - before;
    if (state_ == State::kRequestLine) {
      if (!line->empty()) read_request_line(*line);  // else: left over after the request before
    } else if (line->empty()) {
      finish_header();
    } else {
      read_field(*line);
    }
  }
  return used;
}

void RequestParser::read_request_line(std::string_view line) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == line.npos || first == last || line.find(' ', first + 1) != last)
    return fail(400, "the request line isn't METHOD TARGET VERSION");
  const std::string_view method = line.substr(0, first);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(method) || method.size() > kLongestMethod)
    return fail(400, "the method isn't a token");
  if (version.size() != 8 || !version.starts_with("HTTP/"))
    return fail(400, "the request line isn't METHOD TARGET VERSION");
  http10_ = version == "HTTP/1.0";
  if (!http10_ && version != "HTTP/1.1") return fail(505, "only HTTP/1.0 and HTTP/1.1 are spoken");
  request_.method = method;
  read_target(line.substr(first + 1, last - first - 1));
  state_ = State::kFields;
}

void RequestParser::read_target(std::string_view target) {
  if (!is_target(target))
    return fail(400, "the request's target has characters that it can't have");
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!equals_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
    const size_t path = target.find_first_of("/?", scheme.size());
    target = path == target.npos ? "/" : target.substr(path);
    break;
  }
  const size_t mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  if (mark != target.npos) request_.query = target.substr(mark + 1);
  if (path.empty() && mark == 0) {
    request_.path = "/";
    return;
  }
  if (!path.starts_with('/') && !(path == "*" && request_.method == "OPTIONS"))
    return fail(400, "the request's target must begin with /");
  auto decoded = percent_decoded(path);
  if (!decoded) return fail(400, "the request's path has a % that is no escape of a character");
  request_.path = std::move(*decoded);
}

void RequestParser::read_field(std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t')
    return fail(400, "a field of the header is folded over several lines");
  const size_t colon = line.find(':');
  if (colon == line.npos || !is_token(line.substr(0, colon)))
    return fail(400, "a field of the header isn't NAME: VALUE");
  const std::string_view value = trim_blanks(line.substr(colon + 1));
  if (!is_field_value(value)) return fail(400, "a field of the header has a control character");
  if (state_ == State::kTrailers) return;  // nothing is taken from trailers
  request_.headers.emplace_back(lower_case(line.substr(0, colon)), value);
}

void RequestParser::finish_header() {
  check_framing();
  if (failed_ != 0) return;
  read_connection();
  const std::string_view expect = request_.header("expect");
  expects_continue_ = equals_ignoring_case(expect, "100-continue") && !http10_;
  if (!expect.empty() && !expects_continue_ && !http10_)
    return fail(417, "Expect is known as 100-continue only");
  if (chunked_) {
    state_ = State::kChunkSize;
  } else {
    state_ = left_ > 0 ? State::kBody : State::kDone;
  }
}

void RequestParser::check_framing() {
  size_t hosts = 0, lengths = 0, codings = 0;
  for (const auto& [name, value] : request_.headers) {
    if (name == "host") {
      ++hosts;
      if (!is_host(value)) return fail(400, "Host has characters that no host has");
    } else if (name == "content-length") {
      ++lengths;
      const bool digits = std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; });
      if (!digits || value.empty() || value.size() > 18)
        return fail(400, "Content-Length isn't a number of bytes");
      std::from_chars(value.data(), value.data() + value.size(), left_);
    } else if (name == "transfer-encoding") {
      ++codings;
      chunked_ = equals_ignoring_case(value, "chunked");
      if (!chunked_) return fail(400, "Transfer-Encoding is known as chunked only");
    }
  }
  if (hosts > 1) return fail(400, "there are several Host fields");
  if (hosts == 0 && !http10_) return fail(400, "HTTP/1.1 needs a Host field");
  if (lengths > 1) return fail(400, "there are several Content-Length fields");
  if (codings > 1) return fail(400, "there are several Transfer-Encoding fields");
  if (codings > 0 && lengths > 0)
    return fail(400, "Content-Length and Transfer-Encoding contradict each other");
  if (codings > 0 && http10_) return fail(400, "HTTP/1.0 has no Transfer-Encoding");
}

void RequestParser::read_connection() {
  keep_alive_ = !http10_;
  for (const auto& [name, value] : request_.headers) {
    if (name != "connection") continue;
    if (has_list_item(value, "close")) {
      keep_alive_ = false;
      return;
    }
    if (has_list_item(value, "keep-alive")) keep_alive_ = true;
  }
}

size_t RequestParser::feed_body(std::string_view bytes) {
  size_t used = 0;
  while (failed_ == 0 && !done()) {
    if (state_ == State::kBody || state_ == State::kChunkData) {
      const size_t count = std::min<uint64_t>(left_, bytes.size() - used);
      if (count == 0) break;
      std::string& body = request_.body;
      if (body.empty()) body.reserve(std::min<uint64_t>(left_, kFirstBodyBytes));
      body.append(bytes.substr(used, count));
      used += count;
      left_ -= count;
      if (left_ == 0) state_ = chunked_ ? State::kChunkEnd : State::kDone;
      continue;
    }
    const size_t before = used;
    const auto line =
        take_line(bytes, used,
                  state_ == State::kTrailers ? header_limit_ - header_bytes_ : kLongestChunkLine);
    if (!line) break;
    if (state_ == State::kChunkSize) {
      read_chunk_size(*line);
    } else if (state_ == State::kChunkEnd) {
      if (!line->empty()) fail(400, "a chunk is longer than it says");
      state_ = State::kChunkSize;
    } else {
      header_bytes_ += used - before;
      if (line->empty()) {
        state_ = State::kDone;
      } else {
        read_field(*line);
      }
    }
  }
  return used;
}

void RequestParser::read_chunk_size(std::string_view line) {
  const size_t end = std::min(line.find(';'), line.size());
  const std::string_view digits = line.substr(0, end);
  const char* last = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), last, left_, 16);
  if (digits.empty() || digits.size() > 15 || parsed.ptr != last || parsed.ec != std::errc() ||
      !is_field_value(line))
    return fail(400, "a chunk's size isn't a hexadecimal number");
  if (left_ > payload_limit_ - std::min(payload_limit_, request_.body.size()))
    return fail(413, "length limit exceeded");
  if (left_ == 0) {
    state_ = State::kTrailers;
    header_bytes_ = 0;
  } else {
    state_ = State::kChunkData;
  }
}

}  // namespace embedforge::serve
