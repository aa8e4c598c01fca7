#include "kernels/avx2/simd.h"
#include "kernels/simd/float_table.h"
#include "kernels/tables.h"

namespace embedforge::kernels {

const KernelTable kAvx2Floats = kFloatTable;

}  // namespace embedforge::kernels
