#include "base/cache_folder.h"

#include <cstdlib>

namespace embedforge {

std::optional<std::filesystem::path> cache_folder() {
  if (const char* own = std::getenv("EMBEDFORGE_CACHE")) {
    return *own == '\0' ? std::nullopt : std::optional<std::filesystem::path>(own);
  }
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg != nullptr && *xdg != '\0')
    return std::filesystem::path(xdg) / "embedforge";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
    return std::filesystem::path(home) / ".cache" / "embedforge";
  return std::nullopt;
}

}  // namespace embedforge
