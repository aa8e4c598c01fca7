#include "engine/operand.h"

#include <algorithm>

namespace embedforge {

Operand prepare(const kernels::LinearKernel& kernel, const kernels::InputRows& in,
                AlignedBuffer& prepared) {
  if (kernel.prepare == nullptr)
    return {reinterpret_cast<const std::byte*>(in.x), in.stride * sizeof(float), 1};
  const size_t block = kernel.block_bytes(in.k);
  const auto blocks = static_cast<size_t>((in.rows + kernel.row_block - 1) / kernel.row_block);
  prepared.reserve(blocks * block);
  kernel.prepare(in, prepared.data());
  return {prepared.data(), block, kernel.row_block};
}

const float* pick(const FloatChannels& floats, const float* x, size_t stride, int rows,
                  AlignedBuffer& space) {
  if (floats.padded == 0) return nullptr;
  const auto count = static_cast<size_t>(floats.padded);
  space.reserve(static_cast<size_t>(rows) * count * sizeof(float));
  float* out = space.floats();
  for (int r = 0; r < rows; ++r, x += stride, out += count) {
    std::fill_n(out, count, 0.0F);
    for (size_t j = 0; j < floats.channels.size(); ++j) out[j] = x[floats.channels[j]];
  }
  return space.floats();
}

void multiply(const kernels::LinearKernel& kernel, const FloatChannels& floats, const float* picked,
              int row, kernels::LinearArgs args) {
  if (picked != nullptr) {
    args.floats = picked + static_cast<ptrdiff_t>(row) * floats.padded;
    args.float_weight = floats.weight.data();
    args.float_channels = floats.padded;
    args.float_stride = floats.stride;
  }
  kernel.run(args);
}

}  // namespace embedforge
