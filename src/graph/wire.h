// Takes: protobuf fields. Gives: their bytes as a list of pieces, large ones borrowed and not
// copied. Never: parses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace embedforge {

/// A protobuf message under construction (https://protobuf.dev/programming-guides/encoding/).
class Message {
 public:
  /// Bytes of our own, then bytes that the caller keeps alive.
  struct Piece {
    std::string own;
    std::span<const std::byte> borrowed;
  };

  void add_int(uint32_t field, int64_t value);
  void add_float(uint32_t field, float value);
  void add_string(uint32_t field, std::string_view value);
  void add_borrowed(uint32_t field, std::span<const std::byte> value);
  void add_message(uint32_t field, Message&& message);
  /// Whole records, tags included.
  void add_records(std::span<const std::byte> records);
  /// The tag and length of a field whose content follows by other means.
  void add_header(uint32_t field, uint64_t size);

  uint64_t size() const { return size_; }
  const std::vector<Piece>& pieces() const { return pieces_; }

  static size_t varint_size(uint64_t value);

 private:
  std::string& tail();
  void add_varint(uint64_t value);
  void add_text(std::string_view text);

  std::vector<Piece> pieces_;
  uint64_t size_ = 0;
};

}  // namespace embedforge
