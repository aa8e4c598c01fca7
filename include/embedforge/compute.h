// What the native engine computes linear layers in, and the names of that.
#pragma once

#include <string>

namespace embedforge {

/// kAuto: as the file says.
enum class Compute { kAuto, kFloat32, kBfloat16, kInt8 };

/// "auto", "float32", "bf16", "int8".
const char* compute_name(Compute compute);

/// Errors: kUsage, with the names that are known.
Compute compute_of(const std::string& name);

}  // namespace embedforge
