// Takes: files of records. Gives: their texts and ids in order, what is wrong with the records that
// have none, and a place to go on from. Never: holds more than a record and a buffer.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/byte_source.h"
#include "pipeline/fields.h"
#include "pipeline/records.h"

namespace embedforge {

enum class InputFormat { kJsonl, kCsv, kTsv, kText };

struct InputFile {
  std::string path;  // "-": standard input
  InputFormat format = InputFormat::kText;
  std::string name = path;  // in messages and in what is written
};

/// The files that are meant: patterns (*, ?, [..]) matched, in the order of their names. `format`:
/// jsonl, csv, tsv or txt; "": as each file is called, .gz and .zst left off. Errors: kBadInput for
/// a file that isn't there; kUsage for one of an unknown kind.
std::vector<InputFile> list_inputs(const std::vector<std::string>& paths,
                                   const std::string& format);

struct ReadOptions {
  FieldOptions fields;
  bool header = true;  // of CSV: the first row names the columns; else they are called 1, 2, ...
  size_t max_line = size_t{16} << 20U;
  const std::atomic<bool>* cancelled = nullptr;  // ends the wait for a pipe with an error
};

/// Where a source goes on.
struct InputPosition {
  uint64_t file = 0;    // which of the inputs
  uint64_t offset = 0;  // in its unpacked content
  uint64_t line = 0;    // lines before that
  uint64_t hash = 0;    // of the content before, where it can't be looked at again
  bool operator==(const InputPosition&) const = default;
};

/// A record that has no text, or the place of one that has.
struct RecordNote {
  uint64_t file = 0;
  uint64_t line = 0;   // from 1
  std::string reason;  // "" for a record that is fine
};

class RowSource {
 public:
  /// Errors: kUsage as FieldPicker.
  RowSource(std::vector<InputFile> files, const ReadOptions& options);
  ~RowSource();

  /// kRecord sets `row`, kBroken only the note's reason. Errors: kBadInput for a file that as a
  /// whole can't be read: damaged, truncated, UTF-16, without the column.
  Found next(Row& row, RecordNote& note);

  InputPosition position() const;
  /// Errors: kBadInput when the content before the position isn't what it was.
  void go_to(const InputPosition& position);
  /// Bytes of the current file that were read, and which one it is.
  uint64_t consumed() const;
  size_t current_file() const { return file_; }

 private:
  struct Reader;
  void open();
  std::vector<InputFile> files_;
  ReadOptions options_;
  FieldPicker picker_;
  size_t file_ = 0;
  std::unique_ptr<Reader> reader_;  // of file_; none before it is read
};

}  // namespace embedforge
