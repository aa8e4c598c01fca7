// Takes: text for people or machines. Gives: it on stdout, or a progress bar on stderr. Never:
// mixes the two.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace embedforge::app {

/// Writes to stdout. Errors: kBadInput when it is closed or full.
void print(std::string_view text);

/// "91.0 MB" (decimal units, as file managers and the hub show them).
std::string size_text(uint64_t bytes);

/// A line on stderr that is rewritten in place; silent unless stderr is a terminal or it is asked
/// for.
class Progress {
 public:
  /// `total` 0: not known, only the count is shown.
  Progress(std::string what, size_t total, bool forced);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();
  void advance(size_t count);

 private:
  void show() const;
  std::string what_;
  size_t total_;
  size_t done_ = 0;
  bool visible_;
  double start_;
};

}  // namespace embedforge::app
