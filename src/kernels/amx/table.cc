#include "kernels/amx/units.h"
#include "kernels/tables.h"

namespace embedforge::kernels {

KernelTable make_amx_table() {
  KernelTable table = kAvx512Floats;
  table.name = "amx";
  table.f32 = kAmxLinearF32;
  table.bf16 = kAmxLinearBf16;
  table.i8 = kAmxLinearI8;
  table.attention_workspace = amx_attention_workspace;
  table.attention_bf16 = amx_attention_bf16;
  table.enter = amx_enter;
  table.leave = amx_leave;
  return table;
}

}  // namespace embedforge::kernels
