// Takes: nothing. Gives: what this processor and system allow. Never: changes anything but asking
// Linux for AMX state once.
#pragma once

#include <cstddef>
#include <string>

namespace embedforge {

struct CpuFeatures {
  std::string model_name;  // /proc/cpuinfo's
  bool avx2 = false;       // with FMA and F16C, and the system saves ymm
  bool avx_vnni = false;
  bool avx512 = false;  // F, BW, DQ, VL, and the system saves zmm
  bool avx512_vnni = false;
  bool avx512_bf16 = false;
  bool amx_bf16 = false;  // AMX tiles that Linux has granted to this process
  bool amx_int8 = false;
  size_t l1d_bytes = 32 << 10;
  size_t l2_bytes = 512 << 10;  // of one core
};

/// Read once, at the first call. AMX counts only when Linux grants it (arch_prctl
/// ARCH_REQ_XCOMP_PERM).
const CpuFeatures& cpu_features();

/// Fills in what cpuid tells; does nothing on other processors.
void detect_x86(CpuFeatures& cpu);

/// Those that it has, by the names of the fields above: "avx2 avx512".
std::string feature_names();

}  // namespace embedforge
