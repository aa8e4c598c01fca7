// Takes: the bytes of one file. Gives: its records, one after another: lines, or rows of CSV.
// Never: loses step: after a record that is broken it goes on with the next line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/buffered_bytes.h"

namespace embedforge {

enum class Found { kRecord, kBroken, kEnd };

/// Where a record begins.
struct RecordPlace {
  uint64_t offset = 0;  // in the unpacked content
  uint64_t line = 0;    // lines before it
};

/// The lines of a file, without their ends (\n or \r\n), and without a byte order mark at the
/// start.
class LineReader {
 public:
  LineReader(BufferedBytes& bytes, size_t max_line) : bytes_(bytes), max_line_(max_line) {}

  /// kBroken: longer than max_line.
  Found next();
  std::string_view line() const { return line_; }
  std::string reason() const;
  /// Where the next one begins.
  RecordPlace place() const { return {bytes_.offset(), lines_}; }
  /// Of the last one, from 1.
  uint64_t line_number() const { return lines_; }
  void set_lines(uint64_t lines) { lines_ = lines; }

 private:
  BufferedBytes& bytes_;
  size_t max_line_;
  std::string line_;
  uint64_t lines_ = 0;
};

/// Rows as RFC 4180 has them. A quote means something only at the start of a field; lines that hold
/// nothing are left out.
class CsvReader {
 public:
  CsvReader(BufferedBytes& bytes, char delimiter, size_t max_record)
      : bytes_(bytes), delimiter_(delimiter), max_record_(max_record) {}

  /// kBroken: a quote that never closes, text behind a closing quote, or longer than max_record.
  /// The line that it began in is skipped then, and no other.
  Found next();
  /// What next() will find; it stays where it is.
  Found peek();
  const std::vector<std::string>& fields() const { return fields_; }
  const std::string& reason() const { return reason_; }
  RecordPlace place() const { return {bytes_.offset(), lines_}; }
  /// Of the last one's beginning, from 1.
  uint64_t line_number() const { return began_ + 1; }
  void set_lines(uint64_t lines) { lines_ = lines; }

 private:
  enum class Parsed { kWhole, kNeedsMore, kBroken };
  Parsed parse(std::string_view text, bool at_end);
  Found find(bool& at_end);
  void skip_line(bool at_end);
  std::string& next_field();

  BufferedBytes& bytes_;
  char delimiter_;
  size_t max_record_;
  std::vector<std::string> fields_;
  size_t count_ = 0;       // fields of the record
  size_t size_ = 0;        // bytes of the record, its end included
  uint64_t newlines_ = 0;  // in the record
  std::string reason_;
  uint64_t lines_ = 0, began_ = 0;
};

}  // namespace embedforge
