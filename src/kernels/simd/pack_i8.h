// The 8-bit layouts that the vector tables share. A packed panel of kColumns columns: scales, then
// scaled column sums, then the integers as [ceil(k / 4)][kColumns][4] (four steps of k beside each
// other, as vpmaddubsw, vpdpbusd and tdpbusd take them). In 16 bits, two steps instead of four.
#pragma once

#include <cstring>

#include "kernels/table.h"

namespace embedforge::kernels {
namespace {

/// The k whose integers share 32 bits.
template <typename Q>
constexpr int kGroup = 4 / sizeof(Q);

/// Groups of k, rounded up to `step` groups.
template <typename Q = int8_t>
constexpr size_t k_groups(int k, int step) {
  const int groups = (k + kGroup<Q> - 1) / kGroup<Q>;
  return static_cast<size_t>((groups + step - 1) / step) * static_cast<size_t>(step);
}

template <typename Q = int8_t>
constexpr size_t i8_panel_bytes(int k, int columns, int step) {
  return static_cast<size_t>(columns) * (2 * sizeof(float) + 4 * k_groups<Q>(k, step));
}

/// Packs columns [n0, n0 + columns); `at(group, column)` gives the offset of that group among
/// the integers.
template <typename Q = int8_t, typename At>
inline void i8_pack_panel(const WeightView& w, int n0, int columns, int step, std::byte* out,
                          At at) {
  auto* scales = reinterpret_cast<float*>(out);
  float* sums = scales + columns;
  auto* q = reinterpret_cast<Q*>(sums + columns);
  std::memset(out, 0, i8_panel_bytes<Q>(w.k, columns, step));
  for (int c = 0; c < columns && n0 + c < w.n; ++c) {
    const int n = n0 + c;
    int32_t sum = 0;
    for (int k = 0; k < w.k; ++k) {
      const int value = w.q[k * w.stride_k + n * w.stride_n];
      q[at(k / kGroup<Q>, c) + static_cast<size_t>(k % kGroup<Q>)] = static_cast<Q>(value);
      sum += value;
    }
    scales[c] = w.scales[n];
    sums[c] = w.scales[n] * static_cast<float>(sum);
  }
}

}  // namespace
}  // namespace embedforge::kernels
