// Products of one input with their weights side by side: one product.
#include <algorithm>

#include "plan/emit.h"

namespace embedforge::recognize {
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

}  // namespace embedforge::recognize
