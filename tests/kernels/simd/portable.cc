#include "kernels/portable/simd.h"
#include "kernels/simd/operations.h"

namespace embedforge::kernels {

void portable_operations(const SimdOperands& x, SimdResults& out) { run_operations<Simd>(x, out); }

}  // namespace embedforge::kernels
