// The float operations of a table, from the bodies of this folder: what a processor gets for its
// simd.h. Include after a simd.h; a constant with internal linkage.
#pragma once

#include "kernels/simd/attention_i16.h"
#include "kernels/simd/linear_f32.h"
#include "kernels/simd/rotate.h"

namespace embedforge::kernels {
namespace {

constexpr KernelTable kFloatTable = {.f32 = kLinearF32,
                                     .norm = norm_rows,
                                     .attention_workspace = attention_i16_workspace,
                                     .attention = attention_f32,
                                     .attention_i16 = attention_i16,
                                     .attention_bf16 = attention_i16,
                                     .add = add_values,
                                     .gate = gate_values,
                                     .rotate = rotate_heads};

}  // namespace
}  // namespace embedforge::kernels
