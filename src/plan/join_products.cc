// Products of one input with their weights side by side: one product.
#include <algorithm>

#include "plan/emit.h"

namespace embedforge::raising {
namespace {

bool go_together(const Linear& a, const Linear& b) {
  const Int8Format* one = a.weight.int8();
  const Int8Format* other = b.weight.int8();
  return a.in == b.in && a.weight.k == b.weight.k && a.weight.data().type == b.weight.data().type &&
         (one == nullptr) == (other == nullptr) &&
         (one == nullptr ||
          (one->float_channels == other->float_channels && one->activation == other->activation));
}

template <typename T>
void append(const std::vector<T>& from, std::vector<T>& to) {
  to.insert(to.end(), from.begin(), from.end());
}

/// What the parts say of their columns, side by side.
Int8Format joined_format(const std::vector<Weight>& parts) {
  const Int8Format& first = *parts[0].int8();
  Int8Format out;
  out.activation = first.activation;
  out.float_channels = first.float_channels;
  for (const Weight& part : parts) {
    append(part.int8()->scales, out.scales);
    append(part.int8()->zero_points, out.zero_points);
  }
  for (size_t j = 0; j < first.float_channels.size(); ++j) {
    for (const Weight& part : parts) {
      const auto row = part.int8()->float_rows.begin() + static_cast<ptrdiff_t>(j) * part.n;
      out.float_rows.insert(out.float_rows.end(), row, row + part.n);
    }
  }
  return out;
}

}  // namespace

std::optional<LinearStep> joined(const std::vector<const Linear*>& products) {
  for (const Linear* each : products) {
    if (each == nullptr || !go_together(*products[0], *each)) return std::nullopt;
  }
  const Weight& first = products[0]->weight;
  LinearStep out;
  Weight& weight = out.weight;
  weight.k = first.k;
  weight.transposed = true;
  bool biased = false;
  for (const Linear* each : products) {
    weight.n += each->weight.n;
    weight.transposed = weight.transposed && each->weight.transposed;
    weight.name += (weight.name.empty() ? "" : " | ") + each->weight.name;
    weight.parts.push_back(each->weight);
    biased = biased || !each->bias.empty();
  }
  for (const Linear* each : products) {
    if (!biased) break;
    append(each->bias, out.bias);
    if (each->bias.empty()) out.bias.resize(out.bias.size() + static_cast<size_t>(each->weight.n));
  }
  // The bytes stay where they are: a load that finds them packed never needs them together.
  Tensor data{first.data().type, {weight.k, weight.n}, {}, nullptr};
  if (weight.transposed) std::reverse(data.dims.begin(), data.dims.end());
  if (first.int8() != nullptr) {
    weight.format = joined_format(weight.parts);
    weight.int8()->data = std::move(data);
  } else {
    weight.format = FloatFormat{std::move(data)};
  }
  return out;
}

}  // namespace embedforge::raising
