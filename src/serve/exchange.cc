#include "serve/exchange.h"

#include <numeric>

namespace embedforge::serve {

size_t Answer::tokens() const {
  const auto sum = [](const std::vector<size_t>& counts) {
    return std::accumulate(counts.begin(), counts.end(), size_t{0});
  };
  if (const auto* embedded = std::get_if<Embedded>(&content)) return sum(embedded->tokens);
  if (const auto* scored = std::get_if<Scored>(&content)) return sum(scored->tokens);
  return 0;
}

}  // namespace embedforge::serve
