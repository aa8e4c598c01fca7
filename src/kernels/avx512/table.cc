#include "kernels/avx512/vectors.h"
#include "kernels/tables.h"

namespace embedforge::kernels {

KernelTable make_avx512_table() {
  return {.name = "avx512",
          .f32 = kAvx512LinearF32,
          .bf16 = kAvx512LinearBf16,
          .i8 = kAvx512LinearI8,
          .norm = avx512_norm,
          .attention_workspace = avx512_attention_workspace,
          .attention = avx512_attention,
          .attention_i16 = avx512_attention_i16,
          .attention_bf16 = avx512_attention_i16,
          .add = avx512_add,
          .gate = avx512_gate,
          .rotate = avx512_rotate};
}

}  // namespace embedforge::kernels
