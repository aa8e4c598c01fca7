#include "embedforge/compute.h"

#include <array>
#include <utility>

#include "embedforge/error.h"

namespace embedforge {
namespace {

constexpr std::array<std::pair<Compute, const char*>, 4> kComputes = {
    {{Compute::kAuto, "auto"},
     {Compute::kFloat32, "float32"},
     {Compute::kBfloat16, "bf16"},
     {Compute::kInt8, "int8"}}};

}  // namespace

const char* compute_name(Compute compute) {
  for (const auto& [known, name] : kComputes) {
    if (known == compute) return name;
  }
  return "";
}

Compute compute_of(const std::string& name) {
  for (const auto& [compute, known] : kComputes) {
    if (name == known) return compute;
  }
  if (name == "bfloat16") return Compute::kBfloat16;  // names until 0.1
  if (name == "fp32") return Compute::kFloat32;
  throw_usage("compute must be one of auto, float32, bf16, int8, not \"" + name + "\"");
}

}  // namespace embedforge
