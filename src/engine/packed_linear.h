// Takes: a weight of the program. Gives: it packed for one linear kernel. Never: keeps the original.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "embedforge/embedder.h"
#include "engine/aligned.h"
#include "kernels/table.h"
#include "plan/program.h"

namespace embedforge {

/// Which of a table's linear kernels a layer takes.
enum class Tier { kFloat32, kBfloat16, kInt8 };

/// What `precision` means for this weight. Errors: kNotSupported when the table has no such kernel.
Tier choose_tier(const Weight& weight, Precision precision, const kernels::KernelTable& table);

const kernels::LinearKernel& linear_kernel(Tier tier, const kernels::KernelTable& table);

/// Rows [k_begin, k_begin + k) of a weight, all columns.
struct PackedLinear {
  const kernels::LinearKernel* kernel = nullptr;
  int k = 0, n = 0;
  std::shared_ptr<AlignedBuffer> bytes;  // shared, so that copies of a compiled program are cheap
};

/// Errors: kBadInput naming the tensor for NaN, infinite or zero-scale weights.
PackedLinear pack_linear(const Weight& weight, int64_t k_begin, int64_t k_count, Tier tier, const kernels::KernelTable& table);

}  // namespace embedforge
