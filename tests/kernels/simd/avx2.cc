#include "kernels/avx2/simd.h"
#include "kernels/simd/operations.h"

namespace embedforge::kernels {

void avx2_operations(const SimdOperands& x, SimdResults& out) { run_operations<Simd>(x, out); }

}  // namespace embedforge::kernels
