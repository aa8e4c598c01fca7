// Takes: a weight of the program. Gives: it packed for one linear kernel. Never: keeps the
// original.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "embedforge/embedder.h"
#include "engine/aligned.h"
#include "engine/pack_cache.h"
#include "kernels/table.h"
#include "plan/program.h"

namespace embedforge {

/// Which of a table's linear kernels a layer takes.
enum class Tier { kFloat32, kBfloat16, kInt8 };

/// What `compute` means for this weight. Errors: kNotSupported when the table has no such kernel.
Tier choose_tier(const Weight& weight, Compute compute, const kernels::KernelTable& table);

/// True when the product is computed with the file's own integers; else the packed weights hold
/// channel_scale and the float channels.
bool keeps_integers(const Weight& weight, Compute compute, const kernels::KernelTable& table);

/// What the weight's input is multiplied by before it is rounded; empty for 1, and where the packed
/// weights hold it (float tiers).
std::vector<float> channel_scale(const Weight& weight, Compute compute,
                                 const kernels::KernelTable& table);

const kernels::LinearKernel& linear_kernel(Tier tier, const kernels::KernelTable& table);

/// Rows [k_begin, k_begin + k) of a weight, all columns.
struct PackedLinear {
  const kernels::LinearKernel* kernel = nullptr;
  int k = 0, n = 0;
  const std::byte* bytes = nullptr;
  std::shared_ptr<const void> owner;  // of the bytes: a buffer or a mapped pack
};

/// Packs, or takes the packed bytes from `cache` (may be null). nullopt: the cache doesn't go with
/// this weight. Errors: kBadInput naming the tensor for NaN, infinite or zero-scale weights.
std::optional<PackedLinear> pack_linear(const Weight& weight, int64_t k_begin, int64_t k_count,
                                        Tier tier, const kernels::KernelTable& table,
                                        PackCache* cache);

}  // namespace embedforge
