// XXH3 of bytes: tells whether a file is still the same, and keeps nobody from forging one.
#pragma once

#include <cstdint>
#include <string_view>

namespace embedforge {

uint64_t content_hash(std::string_view bytes);

}  // namespace embedforge
