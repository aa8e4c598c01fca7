#include "engine/heads.h"

#include <algorithm>
#include <cmath>

namespace embedforge {

void Angles::reserve(const Rotary& rotary, size_t positions) {
  if (positions <= positions_) return;
  pairs_ = rotary.frequencies.size();
  positions_ = std::max(positions, 2 * positions_);
  values_ = AlignedBuffer();
  values_.reserve(positions_ * 2 * pairs_ * sizeof(float));
  float* out = values_.floats();
  for (size_t p = 0; p < positions_; ++p, out += 2 * pairs_) {
    for (size_t i = 0; i < pairs_; ++i) {
      // The product is rounded to float, as the frameworks that models are trained in do.
      const float angle = static_cast<float>(p) * rotary.frequencies[i];
      out[i] = static_cast<float>(std::cos(static_cast<double>(angle)));
      out[pairs_ + i] = static_cast<float>(std::sin(static_cast<double>(angle)));
    }
  }
}

void change_heads(const HeadsStep& step, const kernels::KernelTable& table, const Angles& angles,
                  const Rows& rows, size_t position) {
  for (size_t row = 0; row < rows.count; ++row) {
    float* first = rows.row(row) + step.column;
    if (!step.gamma.empty()) {
      table.norm({.x = first,
                  .x_stride = step.head_size,
                  .gamma = step.gamma.data(),
                  .epsilon = step.epsilon,
                  .rms = true,
                  .rows = as_int(step.heads),
                  .width = as_int(step.head_size),
                  .out = first,
                  .out_stride = step.head_size});
    }
    if (step.rotary.frequencies.empty()) continue;
    table.rotate({.x = first,
                  .stride = step.head_size,
                  .heads = as_int(step.heads),
                  .pairs = as_int(step.rotary.frequencies.size()),
                  .interleaved = step.rotary.interleaved,
                  .cos = angles.cosines(position + row),
                  .sin = angles.sines(position + row)});
  }
}

kernels::AttentionArgs attention_args(const AttentionStep& step, size_t head, const Rows& q,
                                      const Rows& k, const Rows& v, const Rows& out) {
  const size_t kv_head = head * step.kv_heads / step.heads;
  kernels::AttentionArgs args{.q = q.data + step.q_column + head * step.head_size,
                              .k = k.data + step.k_column + kv_head * step.head_size,
                              .v = v.data + step.v_column + kv_head * step.head_size,
                              .q_stride = q.width,
                              .kv_stride = k.width,
                              .length = as_int(q.count),
                              .head_size = as_int(step.head_size),
                              .begin = 0,
                              .end = as_int(q.count),
                              .scale = step.scale,
                              .causal = step.causal,
                              .window = static_cast<int>(step.window),
                              .out = out.data + head * step.head_size,
                              .out_stride = out.width};
  if (!step.relative_bias.empty()) {
    const size_t span = (step.relative_bias.size() / step.heads + 1) / 2;
    args.relative_bias = step.relative_bias.data() + head * (2 * span - 1) + span - 1;
    args.bias_span = as_int(span);
  }
  return args;
}

}  // namespace embedforge
