#include "kernels/avx512/simd.h"
#include "kernels/simd/float_table.h"
#include "kernels/tables.h"

namespace embedforge::kernels {

const KernelTable kAvx512Floats = kFloatTable;

}  // namespace embedforge::kernels
