// Qwen3 (transformers' Qwen3Config) as an encoder: causal attention, a norm before each part,
// SwiGLU.
#include "convert/grouped_layer.h"
#include "embedforge/error.h"

namespace embedforge {

BuiltEncoder build_qwen3(const EncoderSource& source) {
  const JsonFile& config = source.config;
  const GroupedLayer layer(config, 32, 128);
  const int64_t layers = layer_count(config, "num_hidden_layers");
  const double theta = rotary_base(config, "", "rope_theta", 10000);
  expect_setting(config, "use_sliding_window", false);
  for (const bool full : full_attention_layers(config, layers, "layer_types", 1, 0)) {
    if (!full) throw_not_supported(config.name() + ": layer_types has \"sliding_attention\"");
  }
  // null stands for false
  const bool causal = !config.value().contains("is_causal") || config.boolean("is_causal", false);
  BuiltEncoder out{encoder_graph("qwen3", source.opset, false), layer.hidden, ""};
  out.prefix = find_prefix(source.tensors, "embed_tokens.weight", "model.");
  Blocks blocks(source.tensors, out.prefix, out.graph, source.used);
  GraphBuilder& build = blocks.build();
  std::string x =
      blocks.rows("embed_tokens", "input_ids", config.positive("vocab_size"), layer.hidden);
  for (int64_t i = 0; i < layers; ++i) {
    const std::string name = "layers." + std::to_string(i);
    const std::string attended = layer.attention(blocks, name + ".self_attn",
                                                 layer.norm(blocks, name + ".input_layernorm", x),
                                                 theta, blocks.mask(causal));
    x = build.add(name + ".attention.residual", "Add", {x, attended});
    const std::string inner = layer.feed_forward(
        blocks, name + ".mlp", layer.norm(blocks, name + ".post_attention_layernorm", x));
    x = build.add(name + ".mlp.residual", "Add", {x, inner});
  }
  x = layer.norm(blocks, "norm", x, layer.hidden, "last_hidden_state");
  add_hidden_output(out.graph, x, layer.hidden);
  return out;
}

}  // namespace embedforge
