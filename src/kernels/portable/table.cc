#include "kernels/portable/simd.h"
#include "kernels/simd/float_table.h"
#include "kernels/simd/linear_i8.h"
#include "kernels/tables.h"

namespace embedforge::kernels {

KernelTable make_portable_table() {
  KernelTable table = kFloatTable;
  table.name = "portable";
  table.f32 = kPortableFloats.f32;
  table.attention = kPortableFloats.attention;
  table.i8 = kLinearI8;
  return table;
}

}  // namespace embedforge::kernels
