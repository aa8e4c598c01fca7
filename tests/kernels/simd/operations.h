// Every operation of a simd.h on plain arrays, so that a test that is compiled for any processor
// can look at the results. Include after a simd.h; no library code, since it is compiled with that
// folder's flags.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/simd/concept.h"

namespace embedforge::kernels {

constexpr int kMostLanes = 16;

/// Lanes of the operands; those of small and steps are within the bounds of the conversions.
struct SimdOperands {
  float a[kMostLanes], b[kMostLanes], c[kMostLanes];
  float small[kMostLanes], powers[kMostLanes], shorts[kMostLanes], bytes[kMostLanes];
  int32_t i[kMostLanes], j[kMostLanes], k[kMostLanes];
  int n;
};

struct SimdResults {
  int width = 0;
  float loaded[kMostLanes] = {}, loaded_first[kMostLanes] = {}, stored_first[kMostLanes] = {};
  float kept[kMostLanes] = {}, set[kMostLanes] = {}, zero[kMostLanes] = {};
  float add[kMostLanes] = {}, sub[kMostLanes] = {}, mul[kMostLanes] = {}, div[kMostLanes] = {};
  float fma[kMostLanes] = {}, fma_of_fma[kMostLanes] = {}, min[kMostLanes] = {},
        max[kMostLanes] = {};
  float round[kMostLanes] = {}, scaled[kMostLanes] = {}, to_float[kMostLanes] = {};
  float sum = 0, largest = 0, smallest = 0;
  int32_t set_int[kMostLanes] = {}, to_int[kMostLanes] = {}, pairs[kMostLanes] = {};
  int32_t joined[kMostLanes] = {};
  int16_t shorts[kMostLanes] = {};
  uint8_t bytes[kMostLanes] = {};
};

/// Of the folder's Simd.
void portable_operations(const SimdOperands& x, SimdResults& out);
void avx2_operations(const SimdOperands& x, SimdResults& out);
void avx512_operations(const SimdOperands& x, SimdResults& out);

template <SimdOperations S>
inline void run_operations(const SimdOperands& x, SimdResults& out) {
  const typename S::F a = S::load(x.a);
  const typename S::F b = S::load(x.b);
  const typename S::F c = S::load(x.c);
  out.width = S::kWidth;
  S::store(out.loaded, a);
  S::store(out.loaded_first, S::load_first(x.a, x.n));
  S::store_first(out.stored_first, a, x.n);
  S::store(out.kept, S::keep_first(a, x.n, b));
  S::store(out.set, S::set1(x.a[0]));
  S::store(out.zero, S::zero());
  S::store(out.add, S::add(a, b));
  S::store(out.sub, S::sub(a, b));
  S::store(out.mul, S::mul(a, b));
  S::store(out.div, S::div(a, b));
  S::store(out.fma, S::fma(a, b, c));
  S::store(out.fma_of_fma, S::fma(b, c, S::fma(a, b, c)));
  S::store(out.min, S::min(a, b));
  S::store(out.max, S::max(a, b));
  S::store(out.round, S::round(S::load(x.small)));
  S::store(out.scaled, S::scale_by_power(a, S::load(x.powers)));
  S::store(out.to_float, S::to_float(S::load_int(x.i)));
  out.sum = S::sum(a);
  out.largest = S::largest(a);
  out.smallest = S::smallest(a);
  S::store_ints(out.set_int, S::set1_int(x.i[0]));
  S::store_ints(out.to_int, S::to_int(S::load(x.small)));
  S::store_ints(out.pairs, S::add_pairs(S::load_int(x.i), S::load_int(x.j), S::load_int(x.k)));
  S::store_ints(out.joined, S::join_shorts(S::load(x.shorts), S::load(x.bytes)));
  S::store_shorts(out.shorts, S::load(x.shorts));
  S::store_bytes(out.bytes, S::load(x.bytes));
}

}  // namespace embedforge::kernels
