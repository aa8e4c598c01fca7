#include "graph/wire.h"

#include <bit>
#include <utility>

namespace embedforge {
namespace {

constexpr uint64_t kVarint = 0;
constexpr uint64_t kRecord = 2;
constexpr uint64_t kFixed32 = 5;

uint64_t tag(uint32_t field, uint64_t wire_type) { return (uint64_t{field} << 3) | wire_type; }

}  // namespace

std::string& Message::tail() {
  if (pieces_.empty() || !pieces_.back().borrowed.empty()) pieces_.emplace_back();
  return pieces_.back().own;
}

void Message::add_text(std::string_view text) {
  tail().append(text);
  size_ += text.size();
}

void Message::add_varint(uint64_t value) {
  std::string& out = tail();
  size_ += varint_size(value);
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>((value & 0x7F) | 0x80));
  out.push_back(static_cast<char>(value));
}

void Message::add_int(uint32_t field, int64_t value) {
  add_varint(tag(field, kVarint));
  add_varint(static_cast<uint64_t>(value));
}

void Message::add_float(uint32_t field, float value) {
  add_varint(tag(field, kFixed32));
  const auto bits = std::bit_cast<uint32_t>(value);
  for (int shift = 0; shift < 32; shift += 8) tail().push_back(static_cast<char>(bits >> shift));
  size_ += 4;
}

void Message::add_header(uint32_t field, uint64_t size) {
  add_varint(tag(field, kRecord));
  add_varint(size);
}

void Message::add_string(uint32_t field, std::string_view value) {
  add_header(field, value.size());
  add_text(value);
}

void Message::add_borrowed(uint32_t field, std::span<const std::byte> value) {
  constexpr size_t kWorthBorrowing = 256;
  if (value.size() < kWorthBorrowing) {
    return add_string(field, {reinterpret_cast<const char*>(value.data()), value.size()});
  }
  add_header(field, value.size());
  tail();
  pieces_.back().borrowed = value;
  size_ += value.size();
}

void Message::add_message(uint32_t field, Message&& message) {
  add_header(field, message.size_);
  size_ += message.size_;
  for (Piece& piece : message.pieces_) {
    tail().append(piece.own);
    pieces_.back().borrowed = piece.borrowed;
  }
  message = {};
}

void Message::add_records(std::span<const std::byte> records) {
  add_text({reinterpret_cast<const char*>(records.data()), records.size()});
}

size_t Message::varint_size(uint64_t value) {
  return value == 0 ? 1 : (static_cast<size_t>(std::bit_width(value)) + 6) / 7;
}

}  // namespace embedforge
