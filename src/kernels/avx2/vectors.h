// What the files of the AVX2 folder give to its table.
#pragma once

#include "kernels/table.h"

namespace embedforge::kernels {

extern const LinearKernel kAvx2LinearF32;
extern const LinearKernel kAvx2LinearI8;
void avx2_norm(const NormArgs& args) noexcept;
void avx2_attention(const AttentionArgs& args) noexcept;
void avx2_attention_i16(const AttentionArgs& args) noexcept;
size_t avx2_attention_workspace(int length, int head_size) noexcept;
void avx2_add(const float* a, const float* b, float* out, size_t count) noexcept;
void avx2_gate(const float* gate, const float* up, Act act, float* out, size_t count) noexcept;
void avx2_rotate(const RotateArgs& args) noexcept;

}  // namespace embedforge::kernels
