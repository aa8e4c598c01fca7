#include "kernels/avx2/vectors.h"
#include "kernels/tables.h"

namespace embedforge::kernels {

KernelTable make_avx2_table() {
  return {.name = "avx2",
          .f32 = kAvx2LinearF32,
          .i8 = kAvx2LinearI8,
          .norm = avx2_norm,
          .attention_workspace = avx2_attention_workspace,
          .attention = avx2_attention,
          .attention_i16 = avx2_attention_i16,
          .attention_bf16 = avx2_attention_i16,
          .add = avx2_add,
          .gate = avx2_gate,
          .rotate = avx2_rotate};
}

}  // namespace embedforge::kernels
