// White space at both ends, as Python's str.strip() removes it (sentence-transformers strips every
// text).
#pragma once

#include <string_view>

namespace embedforge {

std::string_view strip(std::string_view text);

}  // namespace embedforge
