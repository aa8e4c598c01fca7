#include "kernels/amx/units.h"
#include "kernels/avx512/vectors.h"
#include "kernels/tables.h"

namespace embedforge::kernels {

KernelTable make_amx_table() {
  return {.name = "amx",
          .f32 = kAmxLinearF32,
          .bf16 = kAmxLinearBf16,
          .i8 = kAmxLinearI8,
          .norm = avx512_norm,
          .attention_workspace = amx_attention_workspace,
          .attention = avx512_attention,
          .attention_i16 = avx512_attention_i16,
          .attention_bf16 = amx_attention_bf16,
          .add = avx512_add,
          .gate = avx512_gate,
          .rotate = avx512_rotate,
          .enter = amx_enter,
          .leave = amx_leave};
}

}  // namespace embedforge::kernels
