// Takes: default_texts.txt, a text a line. Gives: texts of many kinds and lengths, written for this
// project, that stand in for the texts that a model will see: sentences and passages in turn, then
// sentences. Never: is as good as those.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace embedforge::quantization {

std::span<const std::string_view> default_texts();

/// Whether the i-th of them is for measuring what the others calibrated: every fifth.
constexpr bool is_held_out(size_t i) { return i % 5 == 4; }

}  // namespace embedforge::quantization
