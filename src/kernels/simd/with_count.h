// A block of fewer rows than a kernel's own is computed by code that is compiled for that number.
#pragma once

#include <type_traits>

namespace embedforge::kernels {
namespace {

/// Calls f with a constant 1..kMost that equals `count`.
template <int kMost, typename Function>
inline void with_count(int count, Function f) {
  if constexpr (kMost > 0) {
    if (count == kMost) {
      f(std::integral_constant<int, kMost>());
    } else {
      with_count<kMost - 1>(count, f);
    }
  }
}

}  // namespace
}  // namespace embedforge::kernels
