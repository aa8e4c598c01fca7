// Qwen3 (transformers' Qwen3Config) as an encoder: causal attention with shared heads of k and v,
// RMSNorms before each part and of each head of q and k, rotary positions, SwiGLU.
#include <cmath>

#include "convert/architectures.h"
#include "convert/blocks.h"
#include "embedforge/error.h"

namespace embedforge {
namespace {

struct Qwen {
  explicit Qwen(const JsonFile& config)
      : hidden(config.positive("hidden_size")),
        heads(config.positive("num_attention_heads")),
        kv_heads(config.integer("num_key_value_heads", heads)),
        head_size(config.integer("head_dim", hidden / heads)),
        layers(layer_count(config, "num_hidden_layers")),
        inner(config.positive("intermediate_size")),
        epsilon(static_cast<float>(config.number("rms_norm_eps", 1e-6))),
        theta(config.number("rope_theta", 10000)),
        activation(config.string("hidden_act", "silu")),
        bias(config.boolean("attention_bias", false) ? Bias::kAdded : Bias::kNone) {
    expect_setting(config, "use_sliding_window", false);
    if (config.find("rope_scaling") != nullptr)
      throw_not_supported(config.name() + ": rope_scaling is not supported; only null is");
    if (kv_heads < 1 || heads % kv_heads != 0 || head_size < 2 || head_size % 2 != 0) {
      throw_bad_input(config.name() + ": num_attention_heads " + std::to_string(heads) +
                      ", num_key_value_heads " + std::to_string(kv_heads) + " and head_dim " +
                      std::to_string(head_size) + " don't go together");
    }
  }

  int64_t hidden, heads, kv_heads, head_size, layers, inner;
  float epsilon;
  double theta;
  std::string activation;
  Bias bias;
};

/// Each head of k or v for all the heads of q that share it.
std::string shared(Blocks& blocks, const Qwen& sizes, const std::string& x) {
  const int64_t times = sizes.heads / sizes.kv_heads;
  if (times == 1) return x;
  GraphBuilder& build = blocks.build();
  const std::string wide =
      build.add(x + ".wide", "Unsqueeze", {x, build.integers("axis.third", {2})});
  const std::string copies = build.add(x + ".copies", "Expand",
                                       {wide, build.integers("heads.times", {1, 1, times, 1, 1})});
  return build.add(x + ".shared", "Reshape",
                   {copies, build.integers("heads.all", {0, sizes.heads, -1, sizes.head_size})});
}

std::string attention(Blocks& blocks, const Qwen& sizes, const std::string& name,
                      const std::string& x) {
  GraphBuilder& build = blocks.build();
  const auto projected = [&](const char* part, int64_t heads) {
    return blocks.linear(name + part, x, sizes.hidden, heads * sizes.head_size, sizes.bias);
  };
  const auto turned = [&](const char* part, const char* norm, int64_t heads) {
    const std::string shape =
        build.integers("heads." + std::to_string(heads), {0, 0, heads, sizes.head_size});
    const std::string split =
        build.add(name + part + ".split", "Reshape", {projected(part, heads), shape});
    const std::string normal = blocks.rms_norm(name + norm, split, sizes.head_size, sizes.epsilon,
                                               name + norm + ".output");
    const std::string ordered = build.add(name + part + ".heads", "Transpose", {normal},
                                          {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
    return blocks.rotated(ordered, sizes.head_size, sizes.theta);
  };
  const std::string q = turned(".q_proj", ".q_norm", sizes.heads);
  const std::string k = shared(blocks, sizes, turned(".k_proj", ".k_norm", sizes.kv_heads));
  const std::string v =
      shared(blocks, sizes,
             blocks.heads(projected(".v_proj", sizes.kv_heads), sizes.kv_heads, sizes.head_size));
  const std::string keys =
      build.add(name + ".keys", "Transpose", {k}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}});
  const float scale = 1.0F / std::sqrt(static_cast<float>(sizes.head_size));
  const int64_t width = sizes.heads * sizes.head_size;
  const std::string context = blocks.attention(name, q, keys, v, scale, blocks.mask(true), width);
  return blocks.linear(name + ".o_proj", context, width, sizes.hidden, sizes.bias);
}

std::string feed_forward(Blocks& blocks, const Qwen& sizes, const std::string& name,
                         const std::string& x) {
  const std::string gate = blocks.activation(
      name + ".activation", sizes.activation,
      blocks.linear(name + ".gate_proj", x, sizes.hidden, sizes.inner, Bias::kNone));
  const std::string up =
      blocks.linear(name + ".up_proj", x, sizes.hidden, sizes.inner, Bias::kNone);
  const std::string gated = blocks.build().add(name + ".gated", "Mul", {gate, up});
  return blocks.linear(name + ".down_proj", gated, sizes.inner, sizes.hidden, Bias::kNone);
}

}  // namespace

BuiltEncoder build_qwen3(const EncoderSource& source) {
  const Qwen sizes(source.config);
  BuiltEncoder out{encoder_graph("qwen3", source.opset, false), sizes.hidden, ""};
  out.prefix = find_prefix(source.tensors, "embed_tokens.weight", "model.");
  Blocks blocks(source.tensors, out.prefix, out.graph);
  const auto norm = [&](const std::string& name, const std::string& x, const std::string& output) {
    return blocks.rms_norm(name, x, sizes.hidden, sizes.epsilon, output);
  };
  std::string x =
      blocks.rows("embed_tokens", "input_ids", source.config.positive("vocab_size"), sizes.hidden);
  for (int64_t i = 0; i < sizes.layers; ++i) {
    const std::string name = "layers." + std::to_string(i);
    const std::string in = norm(name + ".input_layernorm", x, name + ".input_layernorm.output");
    x = blocks.build().add(name + ".attention.residual", "Add",
                           {x, attention(blocks, sizes, name + ".self_attn", in)});
    const std::string middle =
        norm(name + ".post_attention_layernorm", x, name + ".post_attention_layernorm.output");
    x = blocks.build().add(name + ".mlp.residual", "Add",
                           {x, feed_forward(blocks, sizes, name + ".mlp", middle)});
  }
  x = norm("norm", x, "last_hidden_state");
  add_hidden_output(out.graph, x, sizes.hidden);
  return out;
}

}  // namespace embedforge
