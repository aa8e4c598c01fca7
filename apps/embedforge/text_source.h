// Takes: texts from the command line, a file or standard input (one a line). Gives: them in blocks,
// checked to be UTF-8. Never: holds more than one block.
#pragma once

#include <cstddef>
#include <fstream>
#include <string>
#include <vector>

namespace embedforge::app {

class TextSource {
 public:
  /// `input`: a file, "-" for standard input, or "" for the given texts (standard input when there
  /// are none). Errors: kUsage for both texts and an input; kBadInput when the file can't be
  /// opened.
  TextSource(std::vector<std::string> texts, const std::string& input);

  /// The next texts, at most kBlockTexts and about kBlockBytes; empty at the end. A line's end may
  /// be \n or \r\n. Errors: kBadInput with the source's name and line for what is not UTF-8.
  std::vector<std::string> next();
  /// The number of texts when it is known, else 0.
  size_t count() const { return name_.empty() ? texts_.size() : 0; }

  static constexpr size_t kBlockTexts = 4096;
  static constexpr size_t kBlockBytes = size_t{4} << 20U;

 private:
  bool read_line(std::string& line);
  std::vector<std::string> texts_;
  std::string name_;  // of the source, for messages; "" for the command line's texts
  std::ifstream file_;
  size_t line_ = 0;
};

}  // namespace embedforge::app
