#include "tokenize/unicode/utf8.h"

#include <algorithm>
#include <cstring>

namespace embedforge {
namespace {

/// Bytes of the valid sequence at the start of `text`, or 0; `good` counts the bytes that could
/// begin one.
size_t sequence(std::string_view text, size_t& good) {
  const auto lead = static_cast<uint8_t>(text[0]);
  good = 1;
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const size_t length = utf8_length(lead);
  uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (; good < length; ++good) {
    if (good >= text.size()) return 0;
    const auto byte = static_cast<uint8_t>(text[good]);
    if (byte < low || byte > high) return 0;
    low = 0x80;
    high = 0xBF;
  }
  return length;
}

}  // namespace

size_t ascii_prefix(std::string_view text) {
  size_t i = 0;
  for (; i + 32 <= text.size(); i += 32) {
    uint64_t words[4];
    std::memcpy(words, text.data() + i, 32);
    if (((words[0] | words[1] | words[2] | words[3]) & 0x8080808080808080ULL) != 0) break;
  }
  while (i < text.size() && static_cast<uint8_t>(text[i]) < 0x80) ++i;
  return i;
}

size_t find_invalid_utf8(std::string_view text) {
  size_t i = ascii_prefix(text);
  while (i < text.size()) {
    if (static_cast<uint8_t>(text[i]) < 0x80) {
      i += ascii_prefix(text.substr(i));
      continue;
    }
    size_t good = 0;
    const size_t length = sequence(text.substr(i), good);
    if (length == 0) return i;
    i += length;
  }
  return std::string_view::npos;
}

size_t count_code_points(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), is_utf8_boundary));
}

std::string replace_invalid_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    size_t good = 0;
    const size_t length = sequence(bytes, good);
    if (length != 0) {
      out.append(bytes.substr(0, length));
    } else {
      out.append("\xEF\xBF\xBD");
    }
    bytes.remove_prefix(length != 0 ? length : good);
  }
  return out;
}

}  // namespace embedforge
