#include "embedforge/error.h"

namespace embedforge {
namespace {

/// Messages quote names out of files; a line break or escape code in one must not reach a terminal
/// or a log.
std::string one_line(std::string message) {
  for (char& c : message) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return message;
}

}  // namespace

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

void throw_usage(const std::string& message) { throw Error(ErrorCode::kUsage, one_line(message)); }
void throw_bad_input(const std::string& message) {
  throw Error(ErrorCode::kBadInput, one_line(message));
}
void throw_not_supported(const std::string& message) {
  throw Error(ErrorCode::kNotSupported, one_line(message));
}

}  // namespace embedforge
