// ModernBERT (transformers' ModernBertConfig): norms before each part, rotary positions with two
// bases, a gated feed-forward layer; every n-th layer attends to all tokens, the others to near
// ones.
#include <cmath>

#include "convert/architectures.h"
#include "convert/blocks.h"

namespace embedforge {
namespace {

struct Modern {
  explicit Modern(const JsonFile& config)
      : hidden(config.positive("hidden_size")),
        heads(config.positive("num_attention_heads")),
        layers(layer_count(config, "num_hidden_layers")),
        inner(config.positive("intermediate_size")),
        global(full_attention_layers(config, layers, "global_attn_every_n_layers", 3, 0)),
        window(config.positive("local_attention") / 2),
        epsilon(static_cast<float>(config.number("norm_eps", 1e-5))),
        global_theta(rotary_base(config, "full_attention", "global_rope_theta", 160000)),
        local_theta(
            rotary_base(config, "sliding_attention", "local_rope_theta",
                        // null stands for the other one, as transformers 4 has it
                        config.value().contains("local_rope_theta") ? global_theta : 10000)),
        activation(config.string("hidden_activation", "gelu")),
        norm_bias(config.boolean("norm_bias", false) ? Bias::kAdded : Bias::kNone),
        attention_bias(config.boolean("attention_bias", false) ? Bias::kAdded : Bias::kNone),
        mlp_bias(config.boolean("mlp_bias", false) ? Bias::kAdded : Bias::kNone) {
    check_heads(config, hidden, heads);
  }

  int64_t hidden, heads, layers, inner;
  std::vector<bool> global;  // of each layer
  int64_t window;
  float epsilon;
  double global_theta, local_theta;
  std::string activation;
  Bias norm_bias, attention_bias, mlp_bias;
};

/// Columns [at * width, (at + 1) * width) of [batch, sequence, ..].
std::string columns(Blocks& blocks, const std::string& x, const std::string& name, int64_t width,
                    int64_t at) {
  GraphBuilder& build = blocks.build();
  const auto bound = [&](int64_t value) {
    return build.integers("column." + std::to_string(value), {value});
  };
  return build.add(
      name, "Slice",
      {x, bound(at * width), bound((at + 1) * width), build.integers("axis.third", {2})});
}

std::string attention(Blocks& blocks, const Modern& sizes, const std::string& name,
                      const std::string& x, bool global) {
  GraphBuilder& build = blocks.build();
  const int64_t h = sizes.hidden;
  const int64_t size = h / sizes.heads;
  const double theta = global ? sizes.global_theta : sizes.local_theta;
  const std::string qkv = blocks.linear(name + ".Wqkv", x, h, 3 * h, sizes.attention_bias);
  const auto part = [&](const char* which, int64_t at) {
    return blocks.heads(columns(blocks, qkv, name + which, h, at), sizes.heads, size);
  };
  const std::string q = blocks.rotated(part(".q", 0), size, theta);
  const std::string k = blocks.rotated(part(".k", 1), size, theta);
  const std::string keys =
      build.add(k + ".swapped", "Transpose", {k}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}});
  const std::string context =
      blocks.attention(name, q, keys, part(".v", 2), 1.0F / std::sqrt(static_cast<float>(size)),
                       blocks.mask(false, global ? -1 : sizes.window), h);
  return blocks.linear(name + ".Wo", context, h, h, sizes.attention_bias);
}

std::string feed_forward(Blocks& blocks, const Modern& sizes, const std::string& name,
                         const std::string& x) {
  const std::string both =
      blocks.linear(name + ".Wi", x, sizes.hidden, 2 * sizes.inner, sizes.mlp_bias);
  const std::string active =
      blocks.activation(name + ".activation", sizes.activation,
                        columns(blocks, both, name + ".gate", sizes.inner, 0));
  const std::string gated = blocks.build().add(
      name + ".gated", "Mul", {active, columns(blocks, both, name + ".up", sizes.inner, 1)});
  return blocks.linear(name + ".Wo", gated, sizes.inner, sizes.hidden, sizes.mlp_bias);
}

}  // namespace

BuiltEncoder build_modernbert(const EncoderSource& source) {
  const Modern sizes(source.config);
  BuiltEncoder out{encoder_graph("modernbert", source.opset, false), sizes.hidden, ""};
  out.prefix = find_prefix(source.tensors, "embeddings.tok_embeddings.weight", "model.");
  Blocks blocks(source.tensors, out.prefix, out.graph, source.used);
  const auto norm = [&](const std::string& name, const std::string& x, const std::string& output) {
    return blocks.layer_norm(name, x, sizes.hidden, sizes.epsilon, sizes.norm_bias, output);
  };
  std::string x = blocks.rows("embeddings.tok_embeddings", "input_ids",
                              source.config.positive("vocab_size"), sizes.hidden);
  x = norm("embeddings.norm", x, "embeddings.norm.output");
  for (int64_t i = 0; i < sizes.layers; ++i) {
    const std::string name = "layers." + std::to_string(i);
    // The embeddings are normalized already, so the first layer has no norm before attention.
    const std::string in = i == 0 ? x : norm(name + ".attn_norm", x, name + ".attn_norm.output");
    const std::string attended =
        attention(blocks, sizes, name + ".attn", in, sizes.global[static_cast<size_t>(i)]);
    x = blocks.build().add(name + ".attn.residual", "Add", {x, attended});
    const std::string middle = norm(name + ".mlp_norm", x, name + ".mlp_norm.output");
    x = blocks.build().add(name + ".mlp.residual", "Add",
                           {x, feed_forward(blocks, sizes, name + ".mlp", middle)});
  }
  x = norm("final_norm", x, "last_hidden_state");
  add_hidden_output(out.graph, x, sizes.hidden);
  return out;
}

}  // namespace embedforge
