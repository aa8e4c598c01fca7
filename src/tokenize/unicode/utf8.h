// UTF-8 primitives. decode_utf8 trusts its input; check text from outside with find_invalid_utf8
// first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace embedforge {

/// Bytes of the sequence that starts with `lead`; 1 for a byte that starts none.
inline uint32_t utf8_length(uint8_t lead) {
  if (lead < 0xC0) return 1;
  return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

inline bool is_utf8_boundary(char byte) { return (static_cast<uint8_t>(byte) & 0xC0) != 0x80; }

/// The code point at `p` (valid UTF-8, or a cut sequence whose missing bytes are readable); `p`
/// moves behind it.
inline char32_t decode_utf8(const char*& p) {
  const auto byte = [&p](int i) { return static_cast<uint8_t>(p[i]); };
  const uint8_t lead = byte(0);
  char32_t c = lead;
  if (lead < 0x80) {
    p += 1;
  } else if (lead < 0xE0) {
    c = ((lead & 0x1FU) << 6) | (byte(1) & 0x3FU);
    p += 2;
  } else if (lead < 0xF0) {
    c = ((lead & 0x0FU) << 12) | ((byte(1) & 0x3FU) << 6) | (byte(2) & 0x3FU);
    p += 3;
  } else {
    c = ((lead & 0x07U) << 18) | ((byte(1) & 0x3FU) << 12) | ((byte(2) & 0x3FU) << 6) |
        (byte(3) & 0x3FU);
    p += 4;
  }
  return c;
}

inline uint32_t utf8_size(char32_t c) { return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4; }

/// Writes up to four bytes at `out` and returns how many.
inline uint32_t encode_utf8(char32_t c, char* out) {
  const uint32_t size = utf8_size(c);
  if (size == 1) {
    out[0] = static_cast<char>(c);
    return 1;
  }
  for (uint32_t i = size - 1; i > 0; --i, c >>= 6) out[i] = static_cast<char>(0x80 | (c & 0x3F));
  out[0] = static_cast<char>((0xF00U >> size & 0xFFU) | c);
  return size;
}

inline void append_utf8(char32_t c, std::string& out) {
  char bytes[4];
  out.append(bytes, encode_utf8(c, bytes));
}

/// The first byte that is not part of a valid sequence (overlong forms and surrogates are invalid);
/// npos when there is none.
size_t find_invalid_utf8(std::string_view text);

/// Length of the run of ASCII bytes at the start.
size_t ascii_prefix(std::string_view text);

size_t count_code_points(std::string_view text);

/// Every invalid sequence becomes U+FFFD, one for each maximal part of a sequence, as Unicode
/// recommends.
std::string replace_invalid_utf8(std::string_view bytes);

}  // namespace embedforge
