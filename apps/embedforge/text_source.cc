#include "text_source.h"

#include <filesystem>
#include <iostream>
#include <utility>

#include "base/byte_order_mark.h"
#include "embedforge/error.h"
#include "tokenize/unicode/utf8.h"

namespace embedforge::app {

TextSource::TextSource(std::vector<std::string> texts, const std::string& input)
    : texts_(std::move(texts)) {
  if (!texts_.empty() && !input.empty()) {
    throw_usage("texts and --input were both given; use one of them");
  }
  if (!texts_.empty()) return;
  if (input.empty() || input == "-") {
    name_ = "standard input";
    return;
  }
  name_ = input;
  std::error_code ignored;
  if (!std::filesystem::is_directory(input, ignored)) file_.open(input, std::ios::binary);
  if (!file_.is_open()) throw_bad_input(input + ": cannot open");
}

bool TextSource::read_line(std::string& line) {
  if (name_.empty()) {
    if (line_ == texts_.size()) return false;
    line = texts_[line_];
  } else {
    std::istream& stream = file_.is_open() ? static_cast<std::istream&>(file_) : std::cin;
    if (!std::getline(stream, line)) {
      if (stream.bad()) throw_bad_input(name_ + ": cannot read");
      return false;
    }
    if (line.ends_with('\r')) line.pop_back();
    if (line_ == 0) line = without_byte_order_mark(line);
  }
  ++line_;
  return true;
}

std::vector<std::string> TextSource::next() {
  std::vector<std::string> block;
  size_t bytes = 0;
  std::string line;
  while (block.size() < kBlockTexts && bytes < kBlockBytes && read_line(line)) {
    const size_t invalid = find_invalid_utf8(line);
    if (invalid != std::string::npos) {
      const std::string place = name_.empty() ? "text " + std::to_string(line_)
                                              : name_ + ": line " + std::to_string(line_);
      throw_bad_input(place + ": not UTF-8 at byte " + std::to_string(invalid + 1) +
                      " of it; convert it with iconv");
    }
    bytes += line.size();
    block.push_back(std::move(line));
  }
  return block;
}

}  // namespace embedforge::app
