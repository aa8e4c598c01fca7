// What the AVX-512 folder gives to the tables that are built on it (avx512 and amx).
#pragma once

#include "kernels/table.h"

namespace embedforge::kernels {

extern const LinearKernel kAvx512LinearF32;
extern const LinearKernel kAvx512LinearBf16;  // needs AVX-512 BF16 as well
extern const LinearKernel kAvx512LinearI8;
void avx512_norm(const NormArgs& args) noexcept;
void avx512_attention(const AttentionArgs& args) noexcept;
void avx512_attention_i16(const AttentionArgs& args) noexcept;
size_t avx512_attention_workspace(int length, int head_size) noexcept;
void avx512_add(const float* a, const float* b, float* out, size_t count) noexcept;
void avx512_gate(const float* gate, const float* up, Act act, float* out, size_t count) noexcept;
void avx512_rotate(const RotateArgs& args) noexcept;

}  // namespace embedforge::kernels
