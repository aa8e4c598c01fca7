#include "peaks.h"

#include <immintrin.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <vector>

#include "base/cpu.h"
#include "engine/aligned.h"

namespace embedforge {
namespace {

constexpr int kSteps = 64;  // of k; a and b stay below 24 kB

/// Random bytes for a and b, each 16 kB; sums go to `out`. As floats they are small and finite.
struct Operands {
  AlignedBuffer a{16384}, b{16384}, out{4096};

  explicit Operands(bool floats) {
    std::mt19937 engine(1);
    std::normal_distribution<float> normal(0, 1);
    std::uniform_int_distribution<int> byte(0, 127);
    for (const AlignedBuffer* x : {&a, &b}) {
      if (floats) {
        std::generate_n(x->floats(), 4096, [&] { return normal(engine); });
      } else {
        std::generate_n(x->data(), 16384, [&] { return static_cast<std::byte>(byte(engine)); });
      }
    }
  }
};

/// Each computes one block over kSteps steps and returns its multiply-adds.
using Loop = double (*)(const Operands&);

__attribute__((target("avx2,fma"))) double avx2_f32(const Operands& x) {
  __m256 sums[6][2] = {};
  for (int k = 0; k < kSteps; ++k) {
    const __m256 b0 = _mm256_load_ps(x.b.floats() + k * 16);
    const __m256 b1 = _mm256_load_ps(x.b.floats() + k * 16 + 8);
#pragma GCC unroll 6
    for (int r = 0; r < 6; ++r) {
      const __m256 a = _mm256_broadcast_ss(x.a.floats() + r * kSteps + k);
      sums[r][0] = _mm256_fmadd_ps(a, b0, sums[r][0]);
      sums[r][1] = _mm256_fmadd_ps(a, b1, sums[r][1]);
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < 12; ++i) _mm256_store_ps(x.out.floats() + i * 8, sums[i / 2][i % 2]);
  return 6.0 * 16 * kSteps;
}

__attribute__((target("avx2"))) double avx2_i8(const Operands& x) {
  const __m256i ones = _mm256_set1_epi16(1);
  const auto* b = reinterpret_cast<const __m256i*>(x.b.data());
  __m256i sums[4][2] = {};
  for (int k = 0; k < kSteps; ++k) {
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      const auto* a = reinterpret_cast<const int*>(x.a.data()) + r * 2 * kSteps + 2 * k;
      const __m256i a0 = _mm256_set1_epi32(a[0]);
      const __m256i a1 = _mm256_set1_epi32(a[1]);
#pragma GCC unroll 2
      for (int c = 0; c < 2; ++c) {
        const __m256i pair =
            _mm256_add_epi16(_mm256_maddubs_epi16(a0, _mm256_load_si256(b + 4 * k + c)),
                             _mm256_maddubs_epi16(a1, _mm256_load_si256(b + 4 * k + 2 + c)));
        sums[r][c] = _mm256_add_epi32(sums[r][c], _mm256_madd_epi16(pair, ones));
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i)
    _mm256_store_si256(reinterpret_cast<__m256i*>(x.out.data()) + i, sums[i / 2][i % 2]);
  return 4.0 * 16 * 8 * kSteps;
}

__attribute__((target("avx512f"))) double avx512_f32(const Operands& x) {
  __m512 sums[12][2] = {};
  for (int k = 0; k < kSteps; ++k) {
    const __m512 b0 = _mm512_load_ps(x.b.floats() + k * 32);
    const __m512 b1 = _mm512_load_ps(x.b.floats() + k * 32 + 16);
#pragma GCC unroll 12
    for (int r = 0; r < 12; ++r) {
      const __m512 a = _mm512_set1_ps(x.a.floats()[r * kSteps + k]);
      sums[r][0] = _mm512_fmadd_ps(a, b0, sums[r][0]);
      sums[r][1] = _mm512_fmadd_ps(a, b1, sums[r][1]);
    }
  }
#pragma GCC unroll 24
  for (int i = 0; i < 24; ++i) _mm512_store_ps(x.out.floats() + i * 16, sums[i / 2][i % 2]);
  return 12.0 * 32 * kSteps;
}

__attribute__((target("avx512f,avx512vnni"))) double avx512_i8(const Operands& x) {
  const auto* b = reinterpret_cast<const __m512i*>(x.b.data());
  __m512i sums[6][4] = {};
  for (int k = 0; k < kSteps; ++k) {
    const __m512i columns[4] = {_mm512_load_si512(b + 4 * k), _mm512_load_si512(b + 4 * k + 1),
                                _mm512_load_si512(b + 4 * k + 2), _mm512_load_si512(b + 4 * k + 3)};
#pragma GCC unroll 6
    for (int r = 0; r < 6; ++r) {
      const __m512i a = _mm512_set1_epi32(reinterpret_cast<const int*>(x.a.data())[r * kSteps + k]);
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c)  // of the intrinsic g++ 12 makes copies and stores
        asm("vpdpbusd %2, %1, %0" : "+v"(sums[r][c]) : "v"(a), "v"(columns[c]));
    }
  }
#pragma GCC unroll 24
  for (int i = 0; i < 24; ++i)
    _mm512_store_si512(reinterpret_cast<__m512i*>(x.out.data()) + i, sums[i / 4][i % 4]);
  return 6.0 * 64 * 4 * kSteps;
}

__attribute__((target("avx512f,avx512bf16"))) double avx512_bf16(const Operands& x) {
  __m512 sums[12][2] = {};
  for (int k = 0; k < kSteps; ++k) {
    const auto b0 = reinterpret_cast<__m512bh>(_mm512_load_ps(x.b.floats() + k * 32));
    const auto b1 = reinterpret_cast<__m512bh>(_mm512_load_ps(x.b.floats() + k * 32 + 16));
#pragma GCC unroll 12
    for (int r = 0; r < 12; ++r) {
      const auto a = reinterpret_cast<__m512bh>(_mm512_set1_ps(x.a.floats()[r * kSteps + k]));
      asm("vdpbf16ps %2, %1, %0" : "+v"(sums[r][0]) : "v"(a), "v"(b0));
      asm("vdpbf16ps %2, %1, %0" : "+v"(sums[r][1]) : "v"(a), "v"(b1));
    }
  }
#pragma GCC unroll 24
  for (int i = 0; i < 24; ++i) _mm512_store_ps(x.out.floats() + i * 16, sums[i / 2][i % 2]);
  return 12.0 * 32 * 2 * kSteps;
}

// Tiles 0 to 3 are the sums, 4 and 5 rows of a, 6 and 7 columns of b; all have 16 rows of 64 bytes.
template <bool kBytes>
__attribute__((target("amx-tile,amx-int8,amx-bf16"))) double amx(const Operands& x) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int k = 0; k < kSteps; ++k) {
    const std::byte* a = x.a.data() + (k % 8) * 2048;
    const std::byte* b = x.b.data() + (k % 8) * 2048;
    _tile_loadd(4, a, 64);
    _tile_loadd(6, b, 64);
    _tile_loadd(7, b + 1024, 64);
    _tile_loadd(5, a + 1024, 64);
    if constexpr (kBytes) {
      _tile_dpbusd(0, 4, 6);
      _tile_dpbusd(1, 4, 7);
      _tile_dpbusd(2, 5, 6);
      _tile_dpbusd(3, 5, 7);
    } else {
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, x.out.data(), 64);
  _tile_stored(1, x.out.data() + 1024, 64);
  _tile_stored(2, x.out.data() + 2048, 64);
  _tile_stored(3, x.out.data() + 3072, 64);
  return 4.0 * 16 * 16 * (kBytes ? 64 : 32) * kSteps;
}

double gmac_per_second(Loop loop, const Operands& operands, int runs) {
  using Clock = std::chrono::steady_clock;
  double best = 0;
  for (int i = 0; i < runs; ++i) {
    double work = 0;
    const Clock::time_point begin = Clock::now();
    double seconds = 0;
    while (seconds < 0.001) {
      for (int j = 0; j < 64; ++j) {
        work += loop(operands);
        asm volatile("" : : "r"(operands.out.data()) : "memory");
      }
      seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    }
    best = std::max(best, work / seconds / 1e9);
  }
  return best;
}

}  // namespace

const char* tier_name(Tier tier) {
  if (tier == Tier::kFloat32) return "float32";
  return tier == Tier::kBfloat16 ? "bf16" : "int8";
}

double measured_peak(const std::string& table, Tier tier, int runs) {
  const bool bytes = tier == Tier::kInt8;
  static const Operands kFloats(true);
  static const Operands kBytes(false);
  const Operands& operands = bytes ? kBytes : kFloats;
  if (table == "amx") {
    const double peak = gmac_per_second(bytes ? amx<true> : amx<false>, operands, runs);
    return tier == Tier::kFloat32 ? peak / 4 : peak;
  }
  if (tier == Tier::kBfloat16) {
    const bool has = table == "avx512" && cpu_features().avx512_bf16;
    return has ? gmac_per_second(avx512_bf16, operands, runs) : 0;
  }
  if (table == "avx512") return gmac_per_second(bytes ? avx512_i8 : avx512_f32, operands, runs);
  if (table == "avx2") return gmac_per_second(bytes ? avx2_i8 : avx2_f32, operands, runs);
  return 0;
}

}  // namespace embedforge
