#pragma once

namespace embedforge {
inline constexpr const char* kVersion = "0.1.0";
}
