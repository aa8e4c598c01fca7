#include "kernels/select.h"

#include <cstdlib>

#include "base/cpu.h"
#include "embedforge/error.h"
#include "kernels/tables.h"

namespace embedforge::kernels {
namespace {

struct Entry {
  KernelTable table;
  bool supported;
  const char* needs;
};

/// The tables of this architecture, best first.
#ifdef __x86_64__
std::vector<Entry> own_entries(const CpuFeatures& cpu) {
  KernelTable avx512 = make_avx512_table();
  if (!cpu.avx512_bf16) avx512.bf16 = {};  // AVX-512 VNNI came before AVX-512 BF16
  return {{make_amx_table(), cpu.avx512_vnni && cpu.avx512_bf16 && cpu.amx_int8 && cpu.amx_bf16,
           "AMX tiles with int8 and bf16, and AVX-512 with VNNI and BF16"},
          {avx512, cpu.avx512_vnni, "AVX-512 (F, BW, DQ, VL) with VNNI"},
          {make_avx2_table(), cpu.avx2, "AVX2, FMA and F16C"}};
}
#else
std::vector<Entry> own_entries(const CpuFeatures& /*cpu*/) { return {}; }
#endif

/// Best first.
const std::vector<Entry>& entries() {
  static const std::vector<Entry> all = [] {
    std::vector<Entry> found = own_entries(cpu_features());
    found.push_back({make_portable_table(), true, ""});
    found.push_back({make_reference_table(), true, ""});
    return found;
  }();
  return all;
}

const Entry& entry(const std::string& name) {
  std::string names;
  for (const Entry& e : entries()) {
    if (name == e.table.name) return e;
    names += names.empty() ? e.table.name : std::string(", ") + e.table.name;
  }
  throw_usage("EMBEDFORGE_ISA=" + name + " is unknown; choose one of " + names);
}

}  // namespace

std::vector<std::string> table_names() {
  std::vector<std::string> names;
  for (const Entry& e : entries()) names.emplace_back(e.table.name);
  return names;
}

std::string why_unsupported(const std::string& name) {
  const Entry& e = entry(name);
  return e.supported ? "" : std::string("this processor lacks ") + e.needs;
}

const KernelTable& table(const std::string& name) {
  const Entry& e = entry(name);
  if (!e.supported) {
    throw_not_supported("EMBEDFORGE_ISA=" + name + ": this processor (" +
                        cpu_features().model_name + ") lacks " + e.needs +
                        "; unset it to let embedforge choose");
  }
  return e.table;
}

const KernelTable& best_table() {
  static const KernelTable& chosen = []() -> const KernelTable& {
    const char* forced = std::getenv("EMBEDFORGE_ISA");
    if (forced != nullptr && *forced != '\0') return table(forced);
    for (const Entry& e : entries()) {
      if (e.supported) return e.table;
    }
    return entries().back().table;
  }();
  return chosen;
}

}  // namespace embedforge::kernels
