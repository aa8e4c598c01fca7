// Takes: nothing. Gives: texts of many kinds and lengths, written for this project, that stand in
// for the texts that a model will see. Never: is as good as those.
#pragma once

#include <span>
#include <string_view>

namespace embedforge::quantization {

std::span<const std::string_view> default_texts();

}  // namespace embedforge::quantization
