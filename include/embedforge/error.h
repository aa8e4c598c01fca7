// The one error type of the library. Every code maps once to an exit status, an HTTP status and a
// Python exception.
#pragma once

#include <stdexcept>
#include <string>

namespace embedforge {

enum class ErrorCode {
  kBug,           // a mistake of ours
  kUsage,         // a wrong flag or option
  kBadInput,      // a model, text or file that is damaged, missing or contradictory
  kNotSupported,  // valid, but this build, processor or engine can't do it
  kRemote,        // a server or download failed
};

/// Carries one line that names what was wrong, where (file, node, tensor or field) and what to do.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

/// The exit status of the command line: 1 a bug, 2 usage, 3 bad input, 4 not supported, 5 a remote
/// failed.
int exit_status(ErrorCode code);

[[noreturn]] void throw_usage(const std::string& message);
[[noreturn]] void throw_bad_input(const std::string& message);
[[noreturn]] void throw_not_supported(const std::string& message);

}  // namespace embedforge
