// Products of one input with their weights side by side: one product.
#include <algorithm>
#include <cstring>

#include "plan/emit.h"

namespace embedforge {
namespace raising {
namespace {

bool same_quant(const std::optional<ActivationQuant>& a, const std::optional<ActivationQuant>& b) {
  if (a.has_value() != b.has_value()) return false;
  return !a || (a->dynamic == b->dynamic && a->scale == b->scale &&
                a->zero_point == b->zero_point && a->channel_scale == b->channel_scale);
}

bool go_together(const Linear& a, const Linear& b) {
  return a.in == b.in && a.weight.k == b.weight.k && a.weight.data.type == b.weight.data.type &&
         a.weight.quantized() == b.weight.quantized() &&
         a.weight.float_channels == b.weight.float_channels &&
         same_quant(a.weight.activation, b.weight.activation);
}

/// Copies a [k, n] or [n, k] weight into columns [column, column + n) of a [k, width] one.
void copy_columns(const Weight& from, std::byte* to, size_t column, size_t width) {
  const size_t size = element_size(from.data.type);
  const auto k = static_cast<size_t>(from.k);
  const auto n = static_cast<size_t>(from.n);
  const std::byte* bytes = from.data.bytes.data();
  for (size_t row = 0; row < k; ++row) {
    std::byte* out = to + (row * width + column) * size;
    if (!from.transposed) {
      std::memcpy(out, bytes + row * n * size, n * size);
      continue;
    }
    for (size_t i = 0; i < n; ++i) std::memcpy(out + i * size, bytes + (i * k + row) * size, size);
  }
}

template <typename T>
void append(const std::vector<T>& from, std::vector<T>& to) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

std::optional<LinearStep> joined(const std::vector<const Linear*>& products) {
  for (const Linear* each : products) {
    if (each == nullptr || !go_together(*products[0], *each)) return std::nullopt;
  }
  const Weight& first = products[0]->weight;
  LinearStep out;
  bool transposed = true;
  bool biased = false;
  for (const Linear* each : products) {
    out.weight.n += each->weight.n;
    transposed = transposed && each->weight.transposed;
    biased = biased || !each->bias.empty();
    out.weight.name += (out.weight.name.empty() ? "" : " | ") + each->weight.name;
    append(each->weight.scales, out.weight.scales);
    append(each->weight.zero_points, out.weight.zero_points);
  }
  for (const Linear* each : products) {
    if (!biased) break;
    append(each->bias, out.bias);
    if (each->bias.empty()) out.bias.resize(out.bias.size() + static_cast<size_t>(each->weight.n));
  }
  out.weight.float_channels = first.float_channels;
  for (size_t j = 0; j < first.float_channels.size(); ++j) {
    for (const Linear* each : products) {
      const auto row = each->weight.float_rows.begin() + static_cast<ptrdiff_t>(j) * each->weight.n;
      out.weight.float_rows.insert(out.weight.float_rows.end(), row, row + each->weight.n);
    }
  }
  out.weight.k = first.k;
  out.weight.transposed = transposed;
  out.weight.activation = first.activation;
  // The bytes stay where they are: a load that finds them packed never needs them together.
  out.weight.data = {first.data.type, {first.k, out.weight.n}, {}, nullptr};
  if (transposed) std::reverse(out.weight.data.dims.begin(), out.weight.data.dims.end());
  for (const Linear* each : products) out.weight.parts.push_back(each->weight);
  return out;
}

}  // namespace raising

Weight with_values(const Weight& weight) {
  if (weight.parts.empty()) return weight;
  Weight out = weight;
  out.parts.clear();
  const size_t size = element_size(weight.data.type);
  const auto bytes = static_cast<size_t>(weight.k * weight.n) * size;
  auto buffer = std::make_shared<std::vector<uint64_t>>((bytes + 7) / 8);
  auto* data = reinterpret_cast<std::byte*>(buffer->data());
  size_t column = 0;
  for (const Weight& part : weight.parts) {
    if (weight.transposed) {  // [n, k]: one after another
      std::memcpy(data + column * static_cast<size_t>(weight.k) * size, part.data.bytes.data(),
                  part.data.bytes.size());
    } else {
      raising::copy_columns(part, data, column, static_cast<size_t>(weight.n));
    }
    column += static_cast<size_t>(part.n);
  }
  out.data.bytes = std::span<const std::byte>(data, bytes);
  out.data.owner = std::move(buffer);
  return out;
}

}  // namespace embedforge
