#include "serve/access_log.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <ctime>
#include <iterator>
#include <utility>

#include "serve/http/text.h"
#include "serve/json_writer.h"

namespace embedforge::serve {
namespace {

constexpr size_t kLongestPath = 256;
constexpr int kPatience = 200;  // ms between looks at whether the log is to end

std::string_view name_of_level(LogLevel level) {
  static constexpr std::string_view kNames[] = {"debug", "info", "warn", "error"};
  return kNames[static_cast<size_t>(level)];
}

/// UTC, as 2026-12-01T00:00:00.000Z.
std::string time_stamp() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  std::tm utc{};
  gmtime_r(&now.tv_sec, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     now.tv_nsec / 1'000'000);
}

/// A line in the making: NAME=VALUE for people, members of an object in JSON.
class LogLine {
 public:
  LogLine(LogFormat format, LogLevel level, std::string_view message) : format_(format) {
    if (format_ == LogFormat::kJson) {
      text_ = "{";
      add("timestamp", time_stamp());
      add("level", name_of_level(level));
      add("message", message);
    } else {
      text_ = fmt::format("{} {:5} ", time_stamp(), name_of_level(level));
      append_plain(message);
    }
  }
  void add(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    begin(name);
    format_ == LogFormat::kJson ? append_string(text_, value) : append_plain(value);
  }
  template <typename Number>
    requires std::is_arithmetic_v<Number>
  void add(std::string_view name, Number value) {
    begin(name);
    if constexpr (std::is_floating_point_v<Number>) {
      fmt::format_to(std::back_inserter(text_), "{:.6f}", value);
    } else {
      fmt::format_to(std::back_inserter(text_), "{}", value);
    }
  }
  /// Digits that are a number already; anything else is left out.
  void add_number(std::string_view name, std::string_view digits) {
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) return;
    begin(name);
    text_ += digits;
  }
  std::string finish() && {
    text_ += format_ == LogFormat::kJson ? "}\n" : "\n";
    return std::move(text_);
  }

 private:
  void begin(std::string_view name) {
    if (format_ == LogFormat::kText) {
      text_.append(" ").append(name).append("=");
    } else {
      if (text_.size() > 1) text_ += ',';
      append_string(text_, name);
      text_ += ':';
    }
  }
  /// Nothing in it ends the line or speaks to a terminal.
  void append_plain(std::string_view value) {
    for (const char c : value) {
      const auto byte = static_cast<unsigned char>(c);
      text_ += byte < 0x20 || byte == 0x7f ? '?' : c;
    }
  }
  LogFormat format_;
  std::string text_;
};

std::string_view header_of(const Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (equals_ignoring_case(key, name)) return value;
  }
  return "";
}

/// Of `traceparent` (W3C): VERSION-TRACE-PARENT-FLAGS, in lower-case hexadecimal digits.
std::string_view trace_of(const Request& request) {
  const std::string_view value = request.header("traceparent");
  if (value.size() < 55 || value[2] != '-' || value[35] != '-') return "";
  const std::string_view trace = value.substr(3, 32);
  const bool hex = trace.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  return hex ? trace : "";
}

LogLevel level_of_status(int status) {
  if (status >= 500) return LogLevel::kError;
  return status >= 400 || status == 0 ? LogLevel::kWarn : LogLevel::kInfo;
}

}  // namespace

AccessLog::AccessLog(LogOptions options) : options_(options), writer_([this] { write_lines(); }) {}

AccessLog::~AccessLog() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  writer_.join();
}

void AccessLog::say(LogLevel level, std::string_view message) {
  if (level >= options_.level) add(LogLine(options_.format, level, message).finish());
}

void AccessLog::request(const Request& request, const Response& sent, uint64_t body_bytes,
                        double seconds) {
  const LogLevel level = level_of_status(sent.status);
  if (level < options_.level || (level == LogLevel::kInfo && !options_.requests)) return;
  LogLine line(options_.format, level, sent.status == 0 ? "the client was gone" : "request");
  line.add("method", request.method);
  line.add("path", std::string_view(request.path).substr(0, kLongestPath));
  line.add("status", sent.status);
  line.add("bytes", body_bytes);
  line.add("seconds", seconds);
  line.add("request_id", request.id);
  line.add("key", request.key);
  line.add("trace_id", trace_of(request));
  line.add("model", header_of(sent, "x-embedforge-model"));
  line.add_number("tokens", header_of(sent, "x-compute-tokens"));
  line.add_number("tokenization_ms", header_of(sent, "x-tokenization-time"));
  line.add_number("queue_ms", header_of(sent, "x-queue-time"));
  line.add_number("inference_ms", header_of(sent, "x-inference-time"));
  add(std::move(line).finish());
}

uint64_t AccessLog::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

void AccessLog::add(std::string line) {
  {
    const std::lock_guard lock(mutex_);
    if (lines_.size() >= options_.capacity) {
      ++dropped_;
      return;
    }
    lines_.push_back(std::move(line));
  }
  changed_.notify_one();
}

void AccessLog::write_lines() {
  uint64_t told = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stop_ || !lines_.empty(); });
    if (lines_.empty()) return;
    std::vector<std::string> batch = std::exchange(lines_, {});
    if (dropped_ > told) {
      const std::string what = std::to_string(dropped_ - told) +
                               " lines of the log found no room: its reader is too slow";
      batch.push_back(LogLine(options_.format, LogLevel::kWarn, what).finish());
      told = dropped_;
    }
    lock.unlock();
    std::string text;
    for (const std::string& line : batch) text += line;
    const bool written = write_all(text);
    lock.lock();
    if (!written) return;
  }
}

/// False: nobody reads, and the log is to end. A write of PIPE_BUF bytes doesn't block where poll()
/// says that there is room.
bool AccessLog::write_all(std::string_view text) {
  for (int waited = 0; !text.empty();) {
    pollfd query = {options_.descriptor, POLLOUT, 0};
    if (poll(&query, 1, kPatience) != 1) {
      const std::lock_guard lock(mutex_);
      if (stop_ && ++waited > 5) return false;
      continue;
    }
    const ssize_t count =
        write(options_.descriptor, text.data(), std::min<size_t>(text.size(), PIPE_BUF));
    if (count < 0 && errno != EINTR && errno != EAGAIN) return true;  // nobody reads any more
    text.remove_prefix(static_cast<size_t>(std::max<ssize_t>(count, 0)));
  }
  return true;
}

}  // namespace embedforge::serve
