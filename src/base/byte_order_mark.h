// The mark that some programs put at the start of UTF-8 files. It is no part of the text.
#pragma once

#include <string_view>

namespace embedforge {

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

inline std::string_view without_byte_order_mark(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  return text;
}

}  // namespace embedforge
