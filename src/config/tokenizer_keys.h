// Takes: the folder of a tokenizer. Gives: nothing, or what is wrong with the keys of its
// tokenizer_config.json. Never: reads the tokenizer.
#pragma once

#include <filesystem>

#include "config/known_keys.h"

namespace embedforge {

/// Errors: as check_keys(); kBadInput for a file that is no JSON object.
void check_tokenizer_config(const std::filesystem::path& folder, const Notices& notices);

}  // namespace embedforge
