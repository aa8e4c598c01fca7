// The tables that this build has, one a folder, and the parts that they are put together from.
// Filled by functions that are compiled for the baseline processor and copy constants, so that
// nothing is initialized before main().
#pragma once

#include "kernels/table.h"

namespace embedforge::kernels {

KernelTable make_reference_table();
KernelTable make_portable_table();
// x86 only:
KernelTable make_avx2_table();
KernelTable make_avx512_table();
KernelTable make_amx_table();

/// A folder's simd/float_table.h.
extern const KernelTable kPortableFloats;  // fma rounded twice: for float32 layers only
extern const KernelTable kAvx2Floats;
extern const KernelTable kAvx512Floats;

extern const LinearKernel kAvx2LinearI8;
extern const LinearKernel kAvx512LinearI8;
extern const LinearKernel kAvx512LinearBf16;  // needs AVX-512 BF16 as well

}  // namespace embedforge::kernels
