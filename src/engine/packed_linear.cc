#include "engine/packed_linear.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "embedforge/error.h"
#include "engine/round_weights.h"

namespace embedforge {
namespace {

void check(const Weight& w) {
  if (w.k <= 0 || w.n <= 0 || w.k > std::numeric_limits<int>::max() / 4 ||
      w.n > std::numeric_limits<int>::max() / 4 || w.data().element_count() != w.k * w.n) {
    throw_bad_input("tensor '" + w.name + "' doesn't have the " + std::to_string(w.k) + " x " +
                    std::to_string(w.n) + " values that its product needs");
  }
  if (w.int8() == nullptr) return;
  for (const float scale : w.int8()->scales) {
    if (!std::isfinite(scale) || scale == 0) {
      throw_bad_input("tensor '" + w.name + "' has a scale of " + std::to_string(scale) +
                      "; quantize the model again");
    }
  }
}

void pack(const Weight& weight, size_t k_begin, const PackedLinear& to, Tier tier, std::byte* out) {
  kernels::WeightView view{.k = as_int(to.k),
                           .n = as_int(to.n),
                           .stride_k = static_cast<ptrdiff_t>(to.n),
                           .stride_n = 1};
  if (tier == Tier::kInt8 && fits_int8(weight)) {
    const std::vector<int8_t> rows = to_integers(weight, k_begin, to.k);
    view.q = rows.data();
    view.scales = weight.int8()->scales.data();
    to.kernel->pack(view, out);
    return;
  }
  const std::vector<float> rows = to_floats(weight, k_begin, to.k);
  if (tier == Tier::kInt8) {
    const RoundedWeights rounded = round_weights(rows.data(), to.k, to.n);
    view.q = rounded.q.data();
    view.scales = rounded.scales.data();
    to.kernel->pack(view, out);
  } else {
    view.values = rows.data();
    to.kernel->pack(view, out);
  }
}

/// Those of input channels [k_begin, k_begin + k_count), counted from k_begin.
FloatChannels pack_floats(const Int8Format& weight, size_t n, size_t k_begin, size_t k_count) {
  const auto up = [](size_t count, size_t step) { return (count + step - 1) / step * step; };
  FloatChannels out;
  out.stride = up(n, kernels::kFloatColumns);
  for (size_t j = 0; j < weight.float_channels.size(); ++j) {
    const auto channel = static_cast<size_t>(weight.float_channels[j]);
    if (channel < k_begin || channel >= k_begin + k_count) continue;
    out.channels.push_back(channel - k_begin);
    const float* row = weight.float_rows.data() + j * n;
    out.weight.insert(out.weight.end(), row, row + n);
    out.weight.resize(out.channels.size() * out.stride);
  }
  out.padded = up(out.channels.size(), kernels::kFloatGroup);
  out.weight.resize(out.padded * out.stride);
  return out;
}

/// The float channels of the rows, as the kernels take them; null where there are none.
const float* pick(const FloatChannels& floats, const Rows& in, AlignedBuffer& space) {
  if (floats.padded == 0) return nullptr;
  space.reserve(in.count * floats.padded * sizeof(float));
  float* out = space.floats();
  for (size_t r = 0; r < in.count; ++r, out += floats.padded) {
    std::fill_n(out, floats.padded, 0.0F);
    for (size_t j = 0; j < floats.channels.size(); ++j) out[j] = in.row(r)[floats.channels[j]];
  }
  return space.floats();
}

}  // namespace

const kernels::LinearKernel& linear_kernel(Tier tier, const kernels::KernelTable& table) {
  return tier == Tier::kInt8 ? table.i8 : tier == Tier::kBfloat16 ? table.bf16 : table.f32;
}

Tier choose_tier(const Weight& weight, Compute compute, const kernels::KernelTable& table) {
  Tier tier = weight.integer_product() != nullptr ? Tier::kInt8 : Tier::kFloat32;
  if (compute == Compute::kFloat32) tier = Tier::kFloat32;
  if (compute == Compute::kBfloat16) tier = Tier::kBfloat16;
  if (compute == Compute::kInt8) tier = Tier::kInt8;
  if (linear_kernel(tier, table).run == nullptr) {
    throw_not_supported(std::string("precision bf16: this processor's kernels (") + table.name +
                        ") have no bfloat16 products; use float32 or int8");
  }
  return tier;
}

size_t PackedLinear::column_blocks() const {
  const auto block = static_cast<size_t>(kernel->column_block);
  return (n + block - 1) / block;
}

std::optional<PackedLinear> pack_linear(const Weight& weight, size_t k_begin, size_t k_count,
                                        Compute compute, const kernels::KernelTable& table,
                                        PackCache* cache) {
  check(weight);
  const Tier tier = choose_tier(weight, compute, table);
  PackedLinear packed;
  packed.kernel = &linear_kernel(tier, table);
  packed.k = k_count;
  packed.n = static_cast<size_t>(weight.n);
  const Int8Format* integers = weight.integer_product();
  if (tier == Tier::kInt8 && integers != nullptr) {
    const std::vector<float>& scale = integers->activation->channel_scale;
    if (!scale.empty())
      packed.channel_scale.assign(scale.data() + k_begin, scale.data() + k_begin + k_count);
    packed.floats = pack_floats(*integers, packed.n, k_begin, k_count);
  }
  const size_t bytes = packed.kernel->weight_bytes(as_int(packed.k), as_int(packed.n));
  if (cache != nullptr && cache->reading()) {
    packed.bytes = cache->take(bytes);
    packed.owner = cache->owner();
    return packed.bytes == nullptr ? std::nullopt : std::optional(packed);
  }
  const auto buffer = std::make_shared<AlignedBuffer>(bytes);
  pack(weight, k_begin, packed, tier, buffer->data());
  packed.bytes = buffer->data();
  packed.owner = buffer;
  if (cache != nullptr) cache->record(packed.bytes, bytes, buffer);
  return packed;
}

PackedLinear pack_matrix(const Rows& matrix, const kernels::KernelTable& table) {
  const kernels::WeightView view{.k = as_int(matrix.count),
                                 .n = as_int(matrix.width),
                                 .values = matrix.data,
                                 .stride_k = static_cast<ptrdiff_t>(matrix.width),
                                 .stride_n = 1};
  const auto buffer = std::make_shared<AlignedBuffer>(table.f32.weight_bytes(view.k, view.n));
  table.f32.pack(view, buffer->data());
  return {&table.f32, matrix.count, matrix.width, buffer->data(), buffer};
}

LayerInput prepare(const PackedLinear& layer, const Rows& in, InputSpace& space) {
  const kernels::LinearKernel& kernel = *layer.kernel;
  LayerInput out;
  out.floats = pick(layer.floats, in, space.floats);
  if (kernel.prepare == nullptr) {
    out.data = reinterpret_cast<const std::byte*>(in.data);
    out.stride = in.width * sizeof(float);
    return out;
  }
  out.row_block = static_cast<size_t>(kernel.row_block);
  out.stride = kernel.block_bytes(as_int(layer.k));
  space.prepared.reserve((in.count + out.row_block - 1) / out.row_block * out.stride);
  kernel.prepare({in.data, in.width, as_int(in.count), as_int(layer.k),
                  layer.channel_scale.empty() ? nullptr : layer.channel_scale.data()},
                 space.prepared.data());
  out.data = space.prepared.data();
  return out;
}

void multiply(const PackedLinear& layer, const LayerInput& in, size_t row, size_t count,
              kernels::LinearArgs args) {
  args.a = in.data + row / in.row_block * in.stride;
  args.a_stride = in.stride;
  args.weight = layer.bytes;
  args.rows = as_int(count);
  args.k = as_int(layer.k);
  if (in.floats != nullptr) {
    args.floats = in.floats + row * layer.floats.padded;
    args.float_weight = layer.floats.weight.data();
    args.float_channels = as_int(layer.floats.padded);
    args.float_stride = layer.floats.stride;
  }
  layer.kernel->run(args);
}

}  // namespace embedforge
