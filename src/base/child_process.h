// Takes: a program and its arguments. Gives: it, running, with a socket to its standard input and
// output. Never: leaves it behind; it is waited for.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace embedforge {

struct ChildOptions {
  std::vector<std::string> arguments;  // the program first; looked for in PATH
  std::vector<std::pair<std::string, std::string>> environment;  // beside this process's own
  std::filesystem::path errors = "/dev/null";                    // what its standard error goes to
};

class ChildProcess {
 public:
  /// Errors: kNotSupported when the program can't be started.
  explicit ChildProcess(const ChildOptions& options);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ChildProcess& operator=(ChildProcess&&) = delete;
  /// Closes its input, on which it should end, and waits until it has.
  ~ChildProcess();

  /// False, or nothing, when the process has ended.
  bool write(std::string_view bytes);
  bool read(void* data, size_t size);
  std::optional<std::string> read_line();  // without its end
  pid_t id() const { return process_; }

 private:
  int socket_ = -1;
  pid_t process_ = -1;
  std::string buffer_;  // received and not yet read
};

}  // namespace embedforge
