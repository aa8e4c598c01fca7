#include "convert/classic_layer.h"

#include <cmath>

namespace embedforge {
namespace {

bool is_power_of_two(float value) {
  int exponent = 0;
  return std::frexp(value, &exponent) == 0.5F;
}

}  // namespace

std::string classic_layer(Blocks& blocks, const ClassicLayer& layer, const std::string& name,
                          const std::string& hidden, const std::string& mask,
                          const std::string& output) {
  const int64_t h = layer.hidden;
  const int64_t size = h / layer.heads;
  const float scale = 1.0F / std::sqrt(static_cast<float>(size));
  const bool fold = is_power_of_two(scale);  // into q, without a change of its digits
  const auto in_layer = [&](const char* part) { return name + "." + part; };
  const auto projected = [&](const char* part, bool swapped, float factor) {
    const std::string x = blocks.linear(in_layer(part), hidden, h, h, Bias::kAdded, factor);
    return blocks.heads(x, layer.heads, size, swapped);
  };
  const std::string q = projected(layer.q, false, fold ? scale : 1);
  const std::string k = projected(layer.k, true, 1);
  const std::string v = projected(layer.v, false, 1);
  const std::string context =
      blocks.attention(name + ".attention.self", q, k, v, fold ? 1 : scale, mask, h);
  const std::string attended =
      blocks.linear(in_layer(layer.attention_out), context, h, h, Bias::kAdded);
  const std::string residual =
      blocks.build().add(name + ".attention.residual", "Add", {attended, hidden});
  const std::string middle =
      blocks.layer_norm(in_layer(layer.attention_norm), residual, h, layer.epsilon, Bias::kAdded,
                        name + ".attention.output.LayerNorm.output");
  const std::string inner = blocks.linear(in_layer(layer.up), middle, h, layer.inner, Bias::kAdded);
  const std::string active =
      blocks.activation(name + ".intermediate.activation", layer.activation, inner);
  const std::string down =
      blocks.linear(in_layer(layer.down), active, layer.inner, h, Bias::kAdded);
  const std::string sum = blocks.build().add(name + ".output.residual", "Add", {down, middle});
  return blocks.layer_norm(in_layer(layer.out_norm), sum, h, layer.epsilon, Bias::kAdded, output);
}

}  // namespace embedforge
