#include "embed/text.h"

#include <cstddef>
#include <cstdint>

namespace embedforge {
namespace {

/// str.isspace() of Python: Unicode bidirectional type WS, B or S, or category Zs.
bool is_space(uint32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

/// The code point of the UTF-8 sequence of `size` bytes at p (well-formed, at most three bytes); 0
/// for longer ones.
uint32_t code_point(const char* p, size_t size) {
  const auto byte = [&](size_t i) {
    return static_cast<uint32_t>(static_cast<unsigned char>(p[i]));
  };
  if (size == 1) return byte(0);
  if (size == 2) return ((byte(0) & 0x1FU) << 6U) | (byte(1) & 0x3FU);
  if (size == 3) return ((byte(0) & 0x0FU) << 12U) | ((byte(1) & 0x3FU) << 6U) | (byte(2) & 0x3FU);
  return 0;
}

size_t sequence_size(unsigned char lead) {
  return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

}  // namespace

bool is_blank(std::string_view text) {
  while (!text.empty()) {
    const size_t size = sequence_size(static_cast<unsigned char>(text.front()));
    if (size > text.size() || !is_space(code_point(text.data(), size))) return false;
    text.remove_prefix(size);
  }
  return true;
}

}  // namespace embedforge
