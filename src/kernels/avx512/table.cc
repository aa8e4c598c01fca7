#include "kernels/tables.h"

namespace embedforge::kernels {

KernelTable make_avx512_table() {
  KernelTable table = kAvx512Floats;
  table.name = "avx512";
  table.bf16 = kAvx512LinearBf16;
  table.i8 = kAvx512LinearI8;
  return table;
}

}  // namespace embedforge::kernels
