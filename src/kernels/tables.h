// The tables that this build has, one a folder. Filled by functions, so that nothing is initialized
// before main().
#pragma once

#include "kernels/table.h"

namespace embedforge::kernels {

KernelTable make_reference_table();
KernelTable make_avx2_table();
KernelTable make_avx512_table();
KernelTable make_amx_table();

}  // namespace embedforge::kernels
