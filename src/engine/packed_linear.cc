#include "engine/packed_linear.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "embedforge/error.h"
#include "engine/round_weights.h"
#include "graph/tensor.h"

namespace embedforge {
namespace {

/// Whether the stored integers less their zero points fit int8.
bool fits_int8(const Weight& w) {
  const int low = w.data.type == DataType::kUint8 ? 0 : -128;
  for (const int32_t zero : w.zero_points) {
    if (low - zero < -128 || low + 255 - zero > 127) return false;
  }
  return true;
}

/// Rows [k_begin, k_begin + k) as floats in [k][n] order.
std::vector<float> float_rows(const Weight& w, int64_t k_begin, int64_t k_count) {
  const int64_t stride_k = w.transposed ? 1 : w.n;
  const int64_t stride_n = w.transposed ? w.k : 1;
  std::vector<float> out(static_cast<size_t>(k_count * w.n));
  const std::vector<float> whole =
      w.data.type == DataType::kFloat ? std::vector<float>() : to_floats(w.data);
  const float* values = w.data.type == DataType::kFloat ? w.data.as<float>().data() : whole.data();
  const std::vector<float> none;
  const std::vector<float>& by_channel = w.activation ? w.activation->channel_scale : none;
  for (int64_t k = 0; k < k_count; ++k) {
    const float factor = by_channel.empty() ? 1 : by_channel[static_cast<size_t>(k_begin + k)];
    for (int64_t n = 0; n < w.n; ++n) {
      float v = values[(k_begin + k) * stride_k + n * stride_n];
      if (w.quantized()) {
        const auto column = static_cast<size_t>(n);
        v = (v - static_cast<float>(w.zero_points.empty() ? 0 : w.zero_points[column])) *
            w.scales[column];
      }
      if (!std::isfinite(v))
        throw_bad_input("tensor '" + w.name +
                        "' has a value that is not finite; the file is damaged");
      out[static_cast<size_t>(k * w.n + n)] = v * factor;
    }
  }
  for (size_t j = 0; j < w.float_channels.size(); ++j) {
    const int64_t row = w.float_channels[j] - k_begin;
    if (row < 0 || row >= k_count) continue;
    const auto from = static_cast<ptrdiff_t>(j) * w.n;
    std::copy_n(w.float_rows.begin() + from, w.n, out.begin() + row * w.n);
  }
  return out;
}

/// Rows of the stored integers less their zero points, in [k][n] order.
std::vector<int8_t> integer_rows(const Weight& w, int64_t k_begin, int64_t k_count) {
  const int64_t stride_k = w.transposed ? 1 : w.n;
  const int64_t stride_n = w.transposed ? w.k : 1;
  const bool is_unsigned = w.data.type == DataType::kUint8;
  const auto bytes = w.data.as<int8_t>();
  std::vector<int8_t> out(static_cast<size_t>(k_count * w.n));
  for (int64_t k = 0; k < k_count; ++k) {
    for (int64_t n = 0; n < w.n; ++n) {
      const int8_t stored = bytes[static_cast<size_t>((k_begin + k) * stride_k + n * stride_n)];
      const int value = is_unsigned ? static_cast<uint8_t>(stored) : stored;
      const int zero = w.zero_points.empty() ? 0 : w.zero_points[static_cast<size_t>(n)];
      out[static_cast<size_t>(k * w.n + n)] = static_cast<int8_t>(value - zero);
    }
  }
  return out;
}

void check(const Weight& w) {
  if (w.k <= 0 || w.n <= 0 || w.k > std::numeric_limits<int>::max() / 4 ||
      w.n > std::numeric_limits<int>::max() / 4 || w.data.element_count() != w.k * w.n) {
    throw_bad_input("tensor '" + w.name + "' doesn't have the " + std::to_string(w.k) + " x " +
                    std::to_string(w.n) + " values that its product needs");
  }
  for (const float scale : w.scales) {
    if (!std::isfinite(scale) || scale == 0) {
      throw_bad_input("tensor '" + w.name + "' has a scale of " + std::to_string(scale) +
                      "; quantize the model again");
    }
  }
}

void pack(const Weight& stored, int64_t k_begin, int64_t k_count, Tier tier,
          const kernels::LinearKernel& kernel, std::byte* out) {
  const Weight weight = with_values(stored);
  kernels::WeightView view{.k = static_cast<int>(k_count),
                           .n = static_cast<int>(weight.n),
                           .stride_k = weight.n,
                           .stride_n = 1};
  if (tier == Tier::kInt8 && weight.quantized() && fits_int8(weight)) {
    const std::vector<int8_t> rows = integer_rows(weight, k_begin, k_count);
    view.q = rows.data();
    view.scales = weight.scales.data();
    kernel.pack(view, out);
    return;
  }
  const std::vector<float> rows = float_rows(weight, k_begin, k_count);
  if (tier == Tier::kInt8) {
    const RoundedWeights rounded = round_weights(rows.data(), k_count, weight.n);
    view.q = rounded.q.data();
    view.scales = rounded.scales.data();
    kernel.pack(view, out);
  } else {
    view.values = rows.data();
    kernel.pack(view, out);
  }
}

}  // namespace

const kernels::LinearKernel& linear_kernel(Tier tier, const kernels::KernelTable& table) {
  return tier == Tier::kInt8 ? table.i8 : tier == Tier::kBfloat16 ? table.bf16 : table.f32;
}

Tier choose_tier(const Weight& weight, Compute compute, const kernels::KernelTable& table) {
  Tier tier =
      weight.quantized() && weight.activation && fits_int8(weight) ? Tier::kInt8 : Tier::kFloat32;
  if (compute == Compute::kFloat32) tier = Tier::kFloat32;
  if (compute == Compute::kBfloat16) tier = Tier::kBfloat16;
  if (compute == Compute::kInt8) tier = Tier::kInt8;
  if (linear_kernel(tier, table).run == nullptr) {
    throw_not_supported(std::string("precision bf16: this processor's kernels (") + table.name +
                        ") have no bfloat16 products; use float32 or int8");
  }
  return tier;
}

bool keeps_integers(const Weight& weight, Compute compute, const kernels::KernelTable& table) {
  return choose_tier(weight, compute, table) == Tier::kInt8 && weight.quantized() &&
         weight.activation && fits_int8(weight);
}

std::vector<float> channel_scale(const Weight& weight, Compute compute,
                                 const kernels::KernelTable& table) {
  return keeps_integers(weight, compute, table) ? weight.activation->channel_scale
                                                : std::vector<float>();
}

std::optional<PackedLinear> pack_linear(const Weight& weight, int64_t k_begin, int64_t k_count,
                                        Tier tier, const kernels::KernelTable& table,
                                        PackCache* cache) {
  check(weight);
  const kernels::LinearKernel& kernel = linear_kernel(tier, table);
  PackedLinear packed{&kernel, static_cast<int>(k_count), static_cast<int>(weight.n), nullptr,
                      nullptr};
  const size_t bytes = kernel.weight_bytes(packed.k, packed.n);
  if (cache != nullptr && cache->reading()) {
    packed.bytes = cache->take(bytes);
    packed.owner = cache->owner();
    return packed.bytes == nullptr ? std::nullopt : std::optional(packed);
  }
  const auto buffer = std::make_shared<AlignedBuffer>(bytes);
  pack(weight, k_begin, k_count, tier, kernel, buffer->data());
  packed.bytes = buffer->data();
  packed.owner = buffer;
  if (cache != nullptr) cache->record(packed.bytes, bytes, buffer);
  return packed;
}

}  // namespace embedforge
