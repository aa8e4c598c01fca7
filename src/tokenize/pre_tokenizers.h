// Takes: normalized pieces. Gives: smaller pieces, one for each word or other unit that the model
// sees. Never: touches added tokens.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "tokenize/pieces.h"

namespace embedforge {

/// White space goes, every punctuation character stands alone.
struct BertPreTokenizer {};

using PreTokenizer = std::variant<BertPreTokenizer>;

/// Applies the pre-tokenizers in order; `scratch` is working space.
void pre_tokenize(const std::vector<PreTokenizer>& steps, Pieces& pieces, Pieces& scratch);

}  // namespace embedforge
