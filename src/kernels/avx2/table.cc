#include "kernels/tables.h"

namespace embedforge::kernels {

KernelTable make_avx2_table() {
  KernelTable table = kAvx2Floats;
  table.name = "avx2";
  table.i8 = kAvx2LinearI8;
  return table;
}

}  // namespace embedforge::kernels
