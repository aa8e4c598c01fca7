#include "kernels/avx512/simd.h"
#include "kernels/simd/operations.h"

namespace embedforge::kernels {

void avx512_operations(const SimdOperands& x, SimdResults& out) { run_operations<Simd>(x, out); }

}  // namespace embedforge::kernels
