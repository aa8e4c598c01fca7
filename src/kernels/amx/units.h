// What the files of the AMX folder give to its table.
#pragma once

#include "kernels/table.h"

namespace embedforge::kernels {

extern const LinearKernel kAmxLinearF32;
extern const LinearKernel kAmxLinearBf16;
extern const LinearKernel kAmxLinearI8;
size_t amx_attention_workspace(int length, int head_size) noexcept;
void amx_attention_bf16(const AttentionArgs& args) noexcept;
void amx_enter() noexcept;
void amx_leave() noexcept;

}  // namespace embedforge::kernels
