// Takes: a kernel table's name. Gives: the multiply-adds a second that a loop of its instructions
// reaches on this machine when it is fed from the nearest cache. Never: is fast by leaving out the
// loads; values are random, since a processor slows down for them.
#pragma once

#include <string>

#include "engine/packed_linear.h"

namespace embedforge {

const char* tier_name(Tier tier);

/// GMAC/s of one thread, the best of a few runs of about 1 ms each; 0 when the table has no such
/// instructions. The calling thread must have entered the table. The loops:
///   avx2    float32: 6 x 16 FMA; int8: 4 x 16 pairs of vpmaddubsw, summed, vpmaddwd, vpaddd
///   avx512  float32: 12 x 32 FMA; bf16: 12 x 32 vdpbf16ps; int8: 6 x 64 vpdpbusd
///   amx     2 x 2 tiles of tdpbf16ps or tdpbusd; float32 is three products of bfloat16
double measured_peak(const std::string& table, Tier tier, int runs = 20);

}  // namespace embedforge
