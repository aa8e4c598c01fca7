// Takes: the last node of a GELU, however it is written. Gives: its input. Never: looks at the
// order of the operators; it evaluates them.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "passes/editor.h"

namespace embedforge::passes {

struct Gelu {
  std::string input;
  bool tanh = false;            // 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), else with erf
  std::set<const Node*> nodes;  // that compute it
};

std::optional<Gelu> match_gelu(const Editor& editor, const Node& node);

}  // namespace embedforge::passes
