// Takes: texts of the caller, a file or standard input. Gives: them in blocks, checked to be UTF-8.
// Never: holds more than one block; passes over a record that has no text.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/row_source.h"

namespace embedforge {

class TextSource {
 public:
  /// `input`: a file (with a text a line, or records where `fields` say which of theirs is the
  /// text; also packed), "-" for standard input, or "" for the given texts (standard input when
  /// there are none). Errors: kUsage for both texts and an input, and for a file of records
  /// (.jsonl, .csv, .tsv) without a field; kBadInput when the file can't be opened.
  TextSource(std::vector<std::string> texts, const std::string& input,
             const FieldOptions& fields = {});

  /// The next texts, at most kBlockTexts and about kBlockBytes; empty at the end. Errors: kBadInput
  /// with the source's name and line for what is not UTF-8, or has no text.
  std::vector<std::string> next();
  /// The number of texts when it is known, else 0.
  size_t count() const { return source_ == nullptr ? texts_.size() : 0; }

  static constexpr size_t kBlockTexts = 4096;
  static constexpr size_t kBlockBytes = size_t{4} << 20U;

 private:
  bool next_text(std::string& text);
  std::vector<std::string> texts_;
  size_t given_ = 0;  // of texts_
  std::string name_;  // of the source, for messages
  std::unique_ptr<RowSource> source_;
};

}  // namespace embedforge
