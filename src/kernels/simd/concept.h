// What a folder's simd.h gives to the bodies of this folder: a struct Simd of static functions on
// vectors of floats (F) and of 32-bit integers (I) of the same width, in which every body is
// written. tests/kernels/simd_test.cc holds each simd.h to these meanings. Only language here.
#pragma once

#include <cstddef>
#include <cstdint>

namespace embedforge::kernels {

/// Where nothing else is said, an operation is done lane by lane and rounded to nearest even, as
/// IEEE 754 says: bits of 8-bit models depend on it. Memory needn't be aligned. n: 0..kWidth lanes.
template <typename S>
concept SimdOperations =
    requires(typename S::F f, typename S::I i, float x, const float* in, float* out,
             const int32_t* ints, int32_t* ints_out, int16_t* shorts, uint8_t* bytes, int n) {
      /// Lanes: 4, 8 or 16 (simd/rows.h adds in 4 x 16 lanes).
      requires S::kWidth == 4 || S::kWidth == 8 || S::kWidth == 16;
      requires sizeof(f) == S::kWidth * sizeof(float) && sizeof(i) == sizeof(f);
      /// The block of sums that fits the registers: rows times vectors.
      requires S::kGemmRows > 0 && S::kGemmVectors > 0;

      f = S::load(in);
      f = S::load_first(in, n);  // zeros in the other lanes, whose memory isn't read
      S::store(out, f);
      S::store_first(out, f, n);
      f = S::keep_first(f, n, f);  // of the first operand; the other lanes of the second
      f = S::set1(x);
      f = S::zero();

      f = S::add(f, f);
      f = S::sub(f, f);
      f = S::mul(f, f);
      f = S::div(f, f);
      f = S::fma(f, f, f);          // a * b + c, rounded once
      f = S::min(f, f);             // a < b ? a : b
      f = S::max(f, f);             // a > b ? a : b
      f = S::round(f);              // to whole numbers, for |a| <= 2^22; the sign of 0 is open
      f = S::scale_by_power(f, f);  // a * 2^b for a whole b in -126..127
      x = S::sum(f);                // halves are added until one lane is left: (0 + 2) + (1 + 3)
      x = S::largest(f);
      x = S::smallest(f);

      i = S::load_int(ints);
      S::store_ints(ints_out, i);
      i = S::set1_int(n);
      i = S::to_int(f);  // for |a| <= 2^22
      f = S::to_float(i);
      i = S::add_pairs(i, i, i);   // a + b.low * c.low + b.high * c.high of the 16-bit halves
      i = S::join_shorts(f, f);    // the two as low and high halves; within +-32767
      S::store_shorts(shorts, f);  // within +-32767
      S::store_bytes(bytes, f);    // within 0..255
    };

}  // namespace embedforge::kernels
