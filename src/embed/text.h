// What sentence-transformers does to a text before the tokenizer sees it.
#pragma once

#include <string>
#include <string_view>

namespace embedforge {

/// Without the white space at both ends, as Python's str.strip() takes it off.
std::string_view strip(std::string_view text);

/// Lower case, character by character (Unicode's simple mapping). Bytes that are not UTF-8 stay as
/// they are, for the tokenizer to refuse.
std::string lower(std::string_view text);

}  // namespace embedforge
