#include "convert/grouped_layer.h"

#include <cmath>

#include "embedforge/error.h"

namespace embedforge {
namespace {

/// Each head of k or v for all the heads of q that share it.
std::string shared(Blocks& blocks, const GroupedLayer& layer, const std::string& x) {
  const int64_t times = layer.heads / layer.kv_heads;
  if (times == 1) return x;
  GraphBuilder& build = blocks.build();
  const std::string wide =
      build.add(x + ".wide", "Unsqueeze", {x, build.integers("axis.third", {2})});
  const std::string copies = build.add(x + ".copies", "Expand",
                                       {wide, build.integers("heads.times", {1, 1, times, 1, 1})});
  return build.add(x + ".shared", "Reshape",
                   {copies, build.integers("heads.all", {0, layer.heads, -1, layer.head_size})});
}

}  // namespace

GroupedLayer::GroupedLayer(const JsonFile& config, int64_t kv_heads_default,
                           int64_t head_size_default)
    : hidden(config.positive("hidden_size")),
      heads(config.positive("num_attention_heads")),
      // null stands for as many as there are of q
      kv_heads(config.integer("num_key_value_heads", config.value().contains("num_key_value_heads")
                                                         ? heads
                                                         : kv_heads_default)),
      head_size(config.integer("head_dim", head_size_default)),
      inner(config.positive("intermediate_size")),
      epsilon(static_cast<float>(config.number("rms_norm_eps", 1e-6))),
      scale(1.0F / std::sqrt(static_cast<float>(head_size))),
      activation(config.string("hidden_act", "silu")),
      bias(config.boolean("attention_bias", false) ? Bias::kAdded : Bias::kNone) {
  if (kv_heads < 1 || heads % kv_heads != 0 || head_size < 2 || head_size % 2 != 0) {
    throw_bad_input(config.name() + ": num_attention_heads " + std::to_string(heads) +
                    ", num_key_value_heads " + std::to_string(kv_heads) + " and head_dim " +
                    std::to_string(head_size) + " don't go together");
  }
}

std::string GroupedLayer::norm(Blocks& blocks, const std::string& name, const std::string& x,
                               int64_t width, const std::string& output) const {
  return blocks.rms_norm(name, x, width, epsilon, output, norm_offset);
}

std::string GroupedLayer::attention(Blocks& blocks, const std::string& name, const std::string& x,
                                    double theta, const std::string& mask) const {
  GraphBuilder& build = blocks.build();
  const auto projected = [&](const char* part, int64_t count) {
    return blocks.linear(name + part, x, hidden, count * head_size, bias);
  };
  const auto turned = [&](const char* part, const char* norm_part, int64_t count) {
    const std::string shape =
        build.integers("heads." + std::to_string(count) + "_" + std::to_string(head_size),
                       {0, 0, count, head_size});
    const std::string split =
        build.add(name + part + ".split", "Reshape", {projected(part, count), shape});
    const std::string normal =
        norm(blocks, name + norm_part, split, head_size, name + norm_part + ".output");
    const std::string ordered = build.add(name + part + ".heads", "Transpose", {normal},
                                          {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
    return blocks.rotated(ordered, head_size, theta);
  };
  const std::string q = turned(".q_proj", ".q_norm", heads);
  const std::string k = shared(blocks, *this, turned(".k_proj", ".k_norm", kv_heads));
  const std::string v =
      shared(blocks, *this, blocks.heads(projected(".v_proj", kv_heads), kv_heads, head_size));
  const std::string keys =
      build.add(name + ".keys", "Transpose", {k}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}});
  const int64_t width = heads * head_size;
  const std::string context = blocks.attention(name, q, keys, v, scale, mask, width);
  return blocks.linear(name + ".o_proj", context, width, hidden, bias);
}

std::string GroupedLayer::feed_forward(Blocks& blocks, const std::string& name,
                                       const std::string& x) const {
  const std::string gate =
      blocks.activation(name + ".activation", activation,
                        blocks.linear(name + ".gate_proj", x, hidden, inner, Bias::kNone));
  const std::string up = blocks.linear(name + ".up_proj", x, hidden, inner, Bias::kNone);
  const std::string gated = blocks.build().add(name + ".gated", "Mul", {gate, up});
  return blocks.linear(name + ".down_proj", gated, inner, hidden, Bias::kNone);
}

}  // namespace embedforge
