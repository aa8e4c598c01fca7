// Why a request isn't answered with vectors. A dialect makes its own status and body of it.
#pragma once

#include <stdexcept>
#include <string>

namespace embedforge::serve {

enum class FailureKind {
  kSyntax,        // 400: the body is no JSON
  kUsage,         // 400: a field has a value that can't be taken
  kEmpty,         // 400: no inputs, or an empty one
  kUnauthorized,  // 401: no API key, or a wrong one
  kNotFound,      // 404: no such route or model
  kMethod,        // 405
  kTooLarge,      // 413: the body is over --payload-limit
  kMediaType,     // 415
  kValidation,    // 422: a wrong type, a missing field, too many inputs, a text too long
  kModel,         // 424: the model can't do that, or its result is NaN
  kOverloaded,    // 429: the queue is full; retry_after is set
  kBug,           // 500
  kUnready,       // 503: loading, draining, or the engine makes no progress
  kOverdue,       // 504: it waited longer than --request-timeout
};

/// Carries one line that names the field, model or flag and what to do.
class Failure : public std::runtime_error {
 public:
  Failure(FailureKind kind, const std::string& message, std::string field = "")
      : std::runtime_error(message), kind_(kind), field_(std::move(field)) {}
  FailureKind kind() const { return kind_; }
  /// The JSON field that was wrong; "" where it is none.
  const std::string& field() const { return field_; }
  /// Seconds; of kOverloaded and kUnready.
  double retry_after = 0;

 private:
  FailureKind kind_;
  std::string field_;
};

/// The HTTP status that a kind has in dialects that don't say otherwise.
constexpr int http_status(FailureKind kind) {
  switch (kind) {
    case FailureKind::kSyntax:
    case FailureKind::kUsage:
    case FailureKind::kEmpty:
      return 400;
    case FailureKind::kUnauthorized:
      return 401;
    case FailureKind::kNotFound:
      return 404;
    case FailureKind::kMethod:
      return 405;
    case FailureKind::kTooLarge:
      return 413;
    case FailureKind::kMediaType:
      return 415;
    case FailureKind::kValidation:
      return 422;
    case FailureKind::kModel:
      return 424;
    case FailureKind::kOverloaded:
      return 429;
    case FailureKind::kUnready:
      return 503;
    case FailureKind::kOverdue:
      return 504;
    case FailureKind::kBug:
      break;
  }
  return 500;
}

}  // namespace embedforge::serve
