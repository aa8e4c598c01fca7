// Takes: a weight of the program. Gives: it packed for one linear kernel, and products with it.
// Never: keeps the original; knows about tiles or threads.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "embedforge/compute.h"
#include "engine/pack_cache.h"
#include "engine/rows.h"
#include "kernels/table.h"
#include "plan/program.h"

namespace embedforge {

/// Which of a table's linear kernels a layer takes.
enum class Tier { kFloat32, kBfloat16, kInt8 };

/// What `compute` means for this weight. Errors: kNotSupported when the table has no such kernel.
Tier choose_tier(const Weight& weight, Compute compute, const kernels::KernelTable& table);

const kernels::LinearKernel& linear_kernel(Tier tier, const kernels::KernelTable& table);

/// Input channels of an 8-bit layer that are multiplied as floats beside it; often none.
struct FloatChannels {
  std::vector<size_t> channels;
  size_t padded = 0;          // channels in whole groups, as the kernels take them
  size_t stride = 0;          // floats of a row of weight
  std::vector<float> weight;  // [padded, stride]
};

/// Rows [k_begin, k_begin + k) of a weight, all columns.
struct PackedLinear {
  const kernels::LinearKernel* kernel = nullptr;
  size_t k = 0, n = 0;
  const std::byte* bytes = nullptr;
  std::shared_ptr<const void> owner;  // of the bytes: a buffer or a mapped pack
  /// Where the product is computed with the file's own integers, and only there:
  std::vector<float> channel_scale;  // what the input is multiplied by first; empty for 1
  FloatChannels floats;

  size_t column_blocks() const;
};

/// Packs, or takes the packed bytes from `cache` (may be null). nullopt: the cache doesn't go with
/// this weight. Errors: kBadInput naming the tensor for NaN, infinite or zero-scale weights;
/// kNotSupported as choose_tier().
std::optional<PackedLinear> pack_linear(const Weight& weight, size_t k_begin, size_t k_count,
                                        Compute compute, const kernels::KernelTable& table,
                                        PackCache* cache);

/// A matrix [k, n] for the float32 kernel.
PackedLinear pack_matrix(const Rows& matrix, const kernels::KernelTable& table);

/// The rows that enter a layer, as its kernel takes them: prepared, or as they are; and their
/// float channels.
struct LayerInput {
  const std::byte* data = nullptr;
  size_t stride = 0;  // bytes between row blocks
  size_t row_block = 1;
  const float* floats = nullptr;
};

/// Memory of layer inputs.
struct InputSpace {
  AlignedBuffer prepared, floats;
  size_t bytes() const { return prepared.size() + floats.size(); }
};

/// The result lies in the rows themselves or in `space`.
LayerInput prepare(const PackedLinear& layer, const Rows& in, InputSpace& space);

/// Fills in what `args` (columns, what is added, where to) lacks, and multiplies rows [row, row +
/// count) of the input; `row` begins a row block.
void multiply(const PackedLinear& layer, const LayerInput& in, size_t row, size_t count,
              kernels::LinearArgs args);

}  // namespace embedforge
