// Takes: a source of bytes. Gives: views of what comes next, as long as the caller wants them.
// Never: forgets a byte that wasn't skipped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "pipeline/byte_source.h"

namespace embedforge {

class BufferedBytes {
 public:
  explicit BufferedBytes(std::unique_ptr<ByteSource> source);

  /// What was read and not skipped yet. Valid until more() or skip().
  std::string_view view() const { return std::string_view(buffer_).substr(at_); }
  /// Reads on, so that view() grows; false at the end.
  bool more();
  void skip(size_t count);
  /// Goes to an absolute byte of the unpacked content; nothing may have been skipped beyond it.
  /// Errors: kBadInput when the content ends before.
  void go_to(uint64_t offset);
  /// Of the unpacked content, where view() begins.
  uint64_t offset() const { return offset_; }
  /// Bytes of the file that were read.
  uint64_t consumed() const { return source_->consumed(); }
  /// The content up to offset(), where hashing was asked for.
  void hash_skipped(bool on) { hashes_ = on; }
  uint64_t hash() const { return hash_; }

 private:
  std::unique_ptr<ByteSource> source_;
  std::string buffer_;
  size_t at_ = 0;
  uint64_t offset_ = 0;
  bool ended_ = false;
  bool hashes_ = false;
  uint64_t hash_ = 0;
};

}  // namespace embedforge
