#include "base/cpu.h"

#ifdef __x86_64__
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace embedforge {
namespace {

struct Registers {
  uint32_t a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(uint32_t leaf, uint32_t subleaf = 0) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d);
  return r;
}

bool bit(uint32_t word, int index) { return ((word >> index) & 1U) != 0; }

/// XCR0: the register states that the system saves on a context switch (Intel SDM volume 1, 13.3).
uint64_t saved_states() {
  uint32_t low = 0;
  uint32_t high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

/// Linux grants the 8 KB tile state to a process only when asked
/// (Documentation/arch/x86/xstate.rst).
bool request_amx() {
  constexpr int kArchReqXcompPerm = 0x1023;
  constexpr int kXfeatureTileData = 18;
  return syscall(SYS_arch_prctl, kArchReqXcompPerm, kXfeatureTileData) == 0;
}

void read_cache_sizes(CpuFeatures& cpu) {
  for (uint32_t i = 0; i < 8; ++i) {  // deterministic cache parameters: Intel leaf 4
    const Registers r = cpuid(4, i);
    const uint32_t type = r.a & 31U;
    if (type == 0) break;
    const uint32_t level = (r.a >> 5) & 7U;
    const size_t bytes = static_cast<size_t>((r.b >> 22) + 1) * (((r.b >> 12) & 1023U) + 1) *
                         ((r.b & 4095U) + 1) * (static_cast<size_t>(r.c) + 1);
    if (level == 1 && type == 1) cpu.l1d_bytes = bytes;
    if (level == 2) cpu.l2_bytes = bytes;
  }
  const Registers amd = cpuid(0x80000006U);  // AMD: L2 size in KB
  if (cpuid(4, 0).a == 0 && (amd.c >> 16) != 0) {
    cpu.l2_bytes = static_cast<size_t>(amd.c >> 16) << 10;
  }
}

}  // namespace

void detect_x86(CpuFeatures& cpu) {
  const Registers one = cpuid(1);
  if (!bit(one.c, 27)) return;  // OSXSAVE
  const uint64_t states = saved_states();
  const Registers seven = cpuid(7, 0);
  const Registers seven_one = cpuid(7, 1);
  const bool ymm = (states & 0x6U) == 0x6U;
  const bool zmm = (states & 0xE6U) == 0xE6U;
  cpu.avx2 = ymm && bit(seven.b, 5) && bit(one.c, 12) && bit(one.c, 29);
  cpu.avx_vnni = cpu.avx2 && bit(seven_one.a, 4);
  cpu.avx512 = zmm && cpu.avx2 && bit(seven.b, 16) && bit(seven.b, 17) && bit(seven.b, 30) &&
               bit(seven.b, 31);
  cpu.avx512_vnni = cpu.avx512 && bit(seven.c, 11);
  cpu.avx512_bf16 = cpu.avx512 && bit(seven_one.a, 5);
  const bool tiles = (states & 0x60000U) == 0x60000U && bit(seven.d, 24) && request_amx();
  cpu.amx_bf16 = cpu.avx512 && tiles && bit(seven.d, 22);
  cpu.amx_int8 = cpu.avx512 && tiles && bit(seven.d, 25);
  read_cache_sizes(cpu);
}

}  // namespace embedforge
#else
namespace embedforge {

void detect_x86(CpuFeatures& /*cpu*/) {}

}  // namespace embedforge
#endif
