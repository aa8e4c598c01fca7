#include "base/cpu.h"

#include <fstream>
#include <utility>

namespace embedforge {
namespace {

std::string read_model_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

}  // namespace

const CpuFeatures& cpu_features() {
  static const CpuFeatures cpu = [] {
    CpuFeatures found;
    found.model_name = read_model_name();
    detect_x86(found);
    return found;
  }();
  return cpu;
}

std::string feature_names() {
  const CpuFeatures& cpu = cpu_features();
  const std::pair<const char*, bool> known[] = {{"avx2", cpu.avx2},
                                                {"avx_vnni", cpu.avx_vnni},
                                                {"avx512", cpu.avx512},
                                                {"avx512_vnni", cpu.avx512_vnni},
                                                {"avx512_bf16", cpu.avx512_bf16},
                                                {"amx_bf16", cpu.amx_bf16},
                                                {"amx_int8", cpu.amx_int8}};
  std::string text;
  for (const auto& [name, present] : known) {
    if (present) text += std::string(text.empty() ? "" : " ") + name;
  }
  return text.empty() ? "baseline only" : text;
}

}  // namespace embedforge
