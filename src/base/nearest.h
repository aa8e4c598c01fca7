// Takes: a word that stands for nothing, and those that would. Gives: the one that was probably
// meant. Never: guesses wildly.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace embedforge {

/// The candidate with the fewest characters changed, added or left out (Levenshtein's distance,
/// case ignored), when those are at most a third of the word's; "" where there is none. A word that
/// a candidate ends with after a slash counts as that candidate.
std::string nearest(std::string_view word, std::span<const std::string> candidates);

/// "; did you mean NEAREST?", or "".
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

}  // namespace embedforge
