// Takes: what happened. Gives: a line of it on a descriptor, JSON or for people. Never: makes its
// callers wait for a slow reader, or writes a text, a key, or a query that could hold one.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "serve/message.h"

namespace embedforge::serve {

enum class LogLevel { kDebug, kInfo, kWarn, kError };
enum class LogFormat { kText, kJson };

struct LogOptions {
  LogFormat format = LogFormat::kText;
  LogLevel level = LogLevel::kInfo;  // and what is above it
  bool requests = false;             // also those that went well; failures always
  int descriptor = 2;
  size_t capacity = 10'000;  // lines that wait to be written
};

class AccessLog {
 public:
  explicit AccessLog(LogOptions options);
  /// Writes what waits, for a second at most.
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  /// One line of text.
  void say(LogLevel level, std::string_view message);
  /// As Handler::finished has them. Failures of the client are warnings, ours are errors.
  void request(const Request& request, const Response& sent, uint64_t body_bytes, double seconds);
  /// Lines that found no room; the log says so itself when there is some again.
  uint64_t dropped() const;

 private:
  void add(std::string line);
  void write_lines();
  bool write_all(std::string_view text);

  const LogOptions options_;
  mutable std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  std::vector<std::string> lines_;
  uint64_t dropped_ = 0;
  bool stop_ = false;
  std::thread writer_;
};

}  // namespace embedforge::serve
