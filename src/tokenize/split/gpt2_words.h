// GPT-2's pre-tokenization without a regular expression engine.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenize/split/splits.h"

namespace embedforge {

/// The matches of
///   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
/// which cover the whole text; bytes of `text` plus `shift`.
void gpt2_words(std::string_view text, uint32_t shift, std::vector<Run>& runs);

}  // namespace embedforge
