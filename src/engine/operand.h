// Takes: float rows that enter a linear layer. Gives: what the layer's kernel multiplies: the rows
// rounded, and the channels that stay float. Never: knows about tiles or threads.
#pragma once

#include <cstddef>

#include "engine/aligned.h"
#include "engine/compile.h"
#include "kernels/table.h"

namespace embedforge {

/// The input rows of a layer, prepared or as they are.
struct Operand {
  const std::byte* data;
  size_t stride;  // bytes between row blocks
  int row_block;

  const std::byte* row(int r) const { return data + static_cast<size_t>(r / row_block) * stride; }
};

/// The result lies in the rows themselves or in `prepared`.
Operand prepare(const kernels::LinearKernel& kernel, const kernels::InputRows& in,
                AlignedBuffer& prepared);

/// The float channels of rows of x, as the kernels take them; null where there are none.
const float* pick(const FloatChannels& floats, const float* x, size_t stride, int rows,
                  AlignedBuffer& space);

/// A product with what its float channels add. `picked`: of all rows; the product begins at `row`.
void multiply(const kernels::LinearKernel& kernel, const FloatChannels& floats, const float* picked,
              int row, kernels::LinearArgs args);

}  // namespace embedforge
