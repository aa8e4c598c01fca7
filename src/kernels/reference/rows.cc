#include <cmath>

#include "kernels/reference/plain.h"

namespace embedforge::kernels::reference {

void add(const float* a, const float* b, float* out, size_t count) noexcept {
  for (size_t i = 0; i < count; ++i) out[i] = a[i] + b[i];
}

void rotate(const RotateArgs& args) noexcept {
  for (int h = 0; h < args.heads; ++h) {
    float* head = args.x + static_cast<size_t>(h) * args.stride;
    for (int i = 0; i < args.pairs; ++i) {
      float& first = head[args.interleaved ? 2 * i : i];
      float& second = head[args.interleaved ? 2 * i + 1 : i + args.pairs];
      const float a = first;
      const float b = second;
      first = a * args.cos[i] - b * args.sin[i];
      second = b * args.cos[i] + a * args.sin[i];
    }
  }
}

void norm(const NormArgs& args) noexcept {
  for (int r = 0; r < args.rows; ++r) {
    const auto row = static_cast<size_t>(r);
    const float* x = args.x + row * args.x_stride;
    float* out = args.out + row * args.out_stride;
    double mean = 0;
    for (int i = 0; i < args.width; ++i) {
      out[i] = x[i] + (args.add == nullptr ? 0.0F : args.add[row * args.add_stride + i]);
      mean += out[i];
    }
    mean = args.rms ? 0 : mean / args.width;
    double variance = 0;
    for (int i = 0; i < args.width; ++i) variance += (out[i] - mean) * (out[i] - mean);
    const double scale = 1.0 / std::sqrt(variance / args.width + args.epsilon);
    for (int i = 0; i < args.width; ++i) {
      const double beta = args.beta == nullptr ? 0.0 : args.beta[i];
      out[i] = static_cast<float>((out[i] - mean) * scale * args.gamma[i] + beta);
    }
  }
}

}  // namespace embedforge::kernels::reference
