// The operations of the reference table: loops that follow the formulas of table.h and nothing
// else.
#pragma once

#include "kernels/table.h"

namespace embedforge::kernels::reference {

extern const LinearKernel kF32;
extern const LinearKernel kBf16;
extern const LinearKernel kI8;
void gate(const float* gate, const float* up, Act act, float* out, size_t count) noexcept;
void add(const float* a, const float* b, float* out, size_t count) noexcept;
void rotate(const RotateArgs& args) noexcept;
void norm(const NormArgs& args) noexcept;
size_t attention_workspace(int length, int head_size) noexcept;
void attention(const AttentionArgs& args) noexcept;

}  // namespace embedforge::kernels::reference
