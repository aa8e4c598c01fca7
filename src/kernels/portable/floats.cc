// The operations of float32 models, whose bits differ between tables anyway, without exact fma.
#include "kernels/portable/lanes.h"

namespace embedforge::kernels {
namespace {

using Simd = Lanes<false>;

}  // namespace
}  // namespace embedforge::kernels

#include "kernels/simd/float_table.h"
#include "kernels/tables.h"

namespace embedforge::kernels {

const KernelTable kPortableFloats = kFloatTable;

}  // namespace embedforge::kernels
