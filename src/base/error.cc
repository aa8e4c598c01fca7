#include "embedforge/error.h"

namespace embedforge {

int exit_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUsage:
      return 2;
    case ErrorCode::kBadInput:
      return 3;
    case ErrorCode::kNotSupported:
      return 4;
    case ErrorCode::kRemote:
      return 5;
    case ErrorCode::kBug:
      break;
  }
  return 1;
}

void throw_usage(const std::string& message) { throw Error(ErrorCode::kUsage, message); }
void throw_bad_input(const std::string& message) { throw Error(ErrorCode::kBadInput, message); }
void throw_not_supported(const std::string& message) {
  throw Error(ErrorCode::kNotSupported, message);
}

}  // namespace embedforge
