// The float operations with AVX-512: the bodies of kernels/simd/ on 16 lanes.
#include "kernels/avx512/simd.h"
#include "kernels/avx512/vectors.h"
#include "kernels/simd/attention_i16.h"
#include "kernels/simd/linear_f32.h"
#include "kernels/simd/rotate.h"

namespace embedforge::kernels {

const LinearKernel kAvx512LinearF32 = kLinearF32;

void avx512_norm(const NormArgs& args) noexcept { norm_rows(args); }

void avx512_attention(const AttentionArgs& args) noexcept { attention_f32(args); }

void avx512_attention_i16(const AttentionArgs& args) noexcept { attention_i16(args); }

size_t avx512_attention_workspace(int length, int head_size) noexcept {
  return attention_i16_workspace(length, head_size);
}

void avx512_add(const float* a, const float* b, float* out, size_t count) noexcept {
  add_values(a, b, out, count);
}

void avx512_gate(const float* gate, const float* up, Act act, float* out, size_t count) noexcept {
  gate_values(gate, up, act, out, count);
}

void avx512_rotate(const RotateArgs& args) noexcept { rotate_heads(args); }

}  // namespace embedforge::kernels
