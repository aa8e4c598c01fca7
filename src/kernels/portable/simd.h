#pragma once

#include "kernels/portable/lanes.h"

namespace embedforge::kernels {
namespace {

using Simd = Lanes<true>;

}  // namespace
}  // namespace embedforge::kernels
