// A plain, slow interpreter of Program: what raise() gives is proven by its numbers.
#pragma once

#include <vector>

#include "plan/program.h"

namespace embedforge::testing {

struct Batch {
  std::vector<std::vector<int64_t>> ids;    // one vector a sequence, no padding
  std::vector<std::vector<int64_t>> types;  // as long
};

struct Result {
  std::vector<std::vector<float>> hidden;  // one a sequence: [length, hidden_size]
  std::vector<std::vector<float>> pooled;  // one a sequence, when the program pools
};

/// Every sum is in double. Quantized products use the exact integer arithmetic that the weights ask
/// for when `integers` is set, and the dequantized weights otherwise.
Result interpret(const Program& program, const Batch& batch, bool integers = false);

}  // namespace embedforge::testing
