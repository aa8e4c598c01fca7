// The float operations with AVX2 and FMA: the bodies of kernels/simd/ on 8 lanes.
#include "kernels/avx2/simd.h"
#include "kernels/avx2/vectors.h"
#include "kernels/simd/attention_i16.h"
#include "kernels/simd/linear_f32.h"
#include "kernels/simd/rotate.h"

namespace embedforge::kernels {

const LinearKernel kAvx2LinearF32 = kLinearF32;

void avx2_norm(const NormArgs& args) noexcept { norm_rows(args); }

void avx2_attention(const AttentionArgs& args) noexcept { attention_f32(args); }

void avx2_attention_i16(const AttentionArgs& args) noexcept { attention_i16(args); }

size_t avx2_attention_workspace(int length, int head_size) noexcept {
  return attention_i16_workspace(length, head_size);
}

void avx2_add(const float* a, const float* b, float* out, size_t count) noexcept {
  add_values(a, b, out, count);
}

void avx2_gate(const float* gate, const float* up, Act act, float* out, size_t count) noexcept {
  gate_values(gate, up, act, out, count);
}

void avx2_rotate(const RotateArgs& args) noexcept { rotate_heads(args); }

}  // namespace embedforge::kernels
