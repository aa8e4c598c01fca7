// Cutting encodings to a length, at either end.
#pragma once

#include <cstddef>
#include <utility>

#include "tokenize/tokenizer.h"

namespace embedforge {

/// Keeps `length` tokens: the first ones, or the last ones when the left side is cut.
void truncate(Encoding& encoding, size_t length, TruncationSide side);

/// How many tokens each of a pair keeps of `limit` in all. Longest first: the shorter one keeps its
/// length while that is at most half of the limit; an odd token goes to the longer one.
std::pair<size_t, size_t> pair_lengths(size_t first, size_t second, size_t limit);

}  // namespace embedforge
