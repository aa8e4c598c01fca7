#include "kernels/reference/plain.h"
#include "kernels/tables.h"

namespace embedforge::kernels {

KernelTable make_reference_table() {
  return {.name = "reference",
          .f32 = reference::kF32,
          .bf16 = reference::kBf16,
          .i8 = reference::kI8,
          .norm = reference::norm,
          .attention_workspace = reference::attention_workspace,
          .attention = reference::attention,
          .attention_i16 = reference::attention,
          .attention_bf16 = reference::attention,
          .add = reference::add,
          .gate = reference::gate,
          .rotate = reference::rotate};
}

}  // namespace embedforge::kernels
