// Takes: normalized pieces. Gives: smaller pieces, one for each word or other unit that the model
// sees. Never: touches added tokens.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "tokenize/pieces.h"
#include "tokenize/split/pattern.h"
#include "tokenize/split/splits.h"

namespace embedforge {

/// White space goes, every punctuation character stands alone.
struct BertPreTokenizer {};

/// Runs of word characters and runs of other characters; white space goes.
struct WhitespacePreTokenizer {};

/// White space goes.
struct WhitespaceSplitPreTokenizer {};

struct PunctuationPreTokenizer {
  SplitBehavior behavior = SplitBehavior::kIsolated;
};

struct DigitsPreTokenizer {
  bool individual = false;
};

struct DelimiterPreTokenizer {
  char32_t delimiter = U' ';
};

/// Spaces become `replacement`, which begins the pieces.
struct MetaspacePreTokenizer {
  enum class Prepend { kAlways, kFirst, kNever };
  char32_t replacement = 0x2581;
  Prepend prepend = Prepend::kAlways;
  bool split = true;
};

/// GPT-2's words, and bytes become characters.
struct ByteLevelPreTokenizer {
  bool add_prefix_space = true;
  bool use_regex = true;
};

struct SplitPreTokenizer {
  Pattern pattern;
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool invert = false;
};

/// Pieces of so many code points.
struct FixedLengthPreTokenizer {
  size_t length = 5;
};

using PreTokenizer =
    std::variant<BertPreTokenizer, WhitespacePreTokenizer, WhitespaceSplitPreTokenizer,
                 PunctuationPreTokenizer, DigitsPreTokenizer, DelimiterPreTokenizer,
                 MetaspacePreTokenizer, ByteLevelPreTokenizer, SplitPreTokenizer,
                 FixedLengthPreTokenizer>;

/// Applies the pre-tokenizers in order; `scratch` is working space.
void pre_tokenize(const std::vector<PreTokenizer>& steps, Pieces& pieces, Pieces& scratch);

/// Whether the steps ask where a piece comes from (Metaspace that prepends at the start of the text
/// only).
bool needs_origins(const std::vector<PreTokenizer>& steps);

}  // namespace embedforge
