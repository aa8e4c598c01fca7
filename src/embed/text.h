// What counts as a text without content.
#pragma once

#include <string_view>

namespace embedforge {

/// Whether there is nothing but white space, as Python's str.isspace() takes it.
bool is_blank(std::string_view text);

}  // namespace embedforge
