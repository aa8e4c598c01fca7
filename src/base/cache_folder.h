// Takes: the environment. Gives: the folder where embedforge keeps what it can make again (packed
// weights, converted models). Never: makes it.
#pragma once

#include <filesystem>
#include <optional>

namespace embedforge {

/// EMBEDFORGE_CACHE when set (empty: nowhere), else XDG_CACHE_HOME/embedforge, else
/// ~/.cache/embedforge. nullopt: nowhere.
std::optional<std::filesystem::path> cache_folder();

}  // namespace embedforge
