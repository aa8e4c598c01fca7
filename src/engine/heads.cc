#include "engine/heads.h"

#include <algorithm>
#include <cmath>

namespace embedforge {

void Angles::reserve(const Rotary& rotary, int positions) {
  if (positions <= positions_) return;
  pairs_ = rotary.frequencies.size();
  positions_ = std::max(positions, 2 * positions_);
  values_ = AlignedBuffer();
  values_.reserve(static_cast<size_t>(positions_) * 2 * pairs_ * sizeof(float));
  float* out = values_.floats();
  for (int p = 0; p < positions_; ++p, out += 2 * pairs_) {
    for (size_t i = 0; i < pairs_; ++i) {
      // The product is rounded to float, as the frameworks that models are trained in do.
      const float angle = static_cast<float>(p) * rotary.frequencies[i];
      out[i] = static_cast<float>(std::cos(static_cast<double>(angle)));
      out[pairs_ + i] = static_cast<float>(std::sin(static_cast<double>(angle)));
    }
  }
}

void change_heads(const HeadsStep& step, const kernels::KernelTable& table, const Angles& angles,
                  float* x, size_t stride, int rows, int position) {
  const auto size = static_cast<size_t>(step.head_size);
  const auto heads = static_cast<int>(step.heads);
  for (int row = 0; row < rows; ++row) {
    float* first = x + static_cast<size_t>(row) * stride + step.column;
    if (!step.gamma.empty()) {
      table.norm({.x = first,
                  .x_stride = size,
                  .gamma = step.gamma.data(),
                  .epsilon = step.epsilon,
                  .rms = true,
                  .rows = heads,
                  .width = static_cast<int>(size),
                  .out = first,
                  .out_stride = size});
    }
    if (step.rotary.frequencies.empty()) continue;
    table.rotate({.x = first,
                  .stride = size,
                  .heads = heads,
                  .pairs = static_cast<int>(step.rotary.frequencies.size()),
                  .interleaved = step.rotary.interleaved,
                  .cos = angles.cosines(position + row),
                  .sin = angles.sines(position + row)});
  }
}

kernels::AttentionArgs attention_args(const AttentionStep& step, int64_t head, int length,
                                      ValueRows q, ValueRows k, ValueRows v, ValueRows out) {
  const int64_t kv_head = head * step.kv_heads / step.heads;
  kernels::AttentionArgs args{.q = q.first + step.q_column + head * step.head_size,
                              .k = k.first + step.k_column + kv_head * step.head_size,
                              .v = v.first + step.v_column + kv_head * step.head_size,
                              .q_stride = q.stride,
                              .kv_stride = k.stride,
                              .length = length,
                              .head_size = static_cast<int>(step.head_size),
                              .begin = 0,
                              .end = length,
                              .scale = step.scale,
                              .causal = step.causal,
                              .window = static_cast<int>(step.window),
                              .out = out.first + head * step.head_size,
                              .out_stride = out.stride};
  if (!step.relative_bias.empty()) {
    const auto span = (static_cast<int64_t>(step.relative_bias.size()) / step.heads + 1) / 2;
    args.relative_bias = step.relative_bias.data() + head * (2 * span - 1) + span - 1;
    args.bias_span = static_cast<int>(span);
  }
  return args;
}

}  // namespace embedforge
