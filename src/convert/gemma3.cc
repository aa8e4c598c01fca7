// Gemma 3's text model (transformers' Gemma3TextConfig) as an encoder: norms before and after each
// part whose weights are offsets from 1, near and far attention with rotary positions of two bases,
// GeGLU; scaled embeddings.
#include <cmath>

#include "checkpoint/weights.h"
#include "convert/grouped_layer.h"

namespace embedforge {
namespace {

/// The rows of embed_tokens times sqrt(hidden size).
std::string embeddings(Blocks& blocks, int64_t vocabulary, int64_t hidden) {
  const std::string name = "embed_tokens";
  const Tensor rows = scaled(blocks.weight(name + ".weight", {vocabulary, hidden}),
                             std::sqrt(static_cast<float>(hidden)));
  return blocks.build().add(name, "Gather",
                            {blocks.build().constant(name + ".weight", rows), "input_ids"});
}

GroupedLayer read_layer(const JsonFile& config) {
  GroupedLayer layer(config, 4, 256);
  layer.norm_offset = 1;
  layer.activation = config.string("hidden_activation", "gelu_pytorch_tanh");
  const auto scalar = static_cast<double>(config.positive("query_pre_attn_scalar"));
  layer.scale = static_cast<float>(1 / std::sqrt(scalar));
  return layer;
}

}  // namespace

BuiltEncoder build_gemma3(const EncoderSource& source) {
  const JsonFile& config = source.config;
  const GroupedLayer layer = read_layer(config);
  const int64_t layers = layer_count(config, "num_hidden_layers");
  const double far = rotary_base(config, "full_attention", "rope_theta", 1e6);
  const double near = rotary_base(config, "sliding_attention", "rope_local_base_freq", 1e4);
  const std::vector<bool> full =
      full_attention_layers(config, layers, "sliding_window_pattern", 6, 1);
  const bool causal = !config.boolean("use_bidirectional_attention", false);
  // A window of n tokens ends at the token itself, or lies half before and half after it.
  const int64_t tokens = config.positive("sliding_window");
  const int64_t window = causal ? tokens - 1 : tokens / 2;
  BuiltEncoder out{encoder_graph("gemma3_text", source.opset, false), layer.hidden, ""};
  out.prefix = find_prefix(source.tensors, "embed_tokens.weight", "model.");
  Blocks blocks(source.tensors, out.prefix, out.graph, source.used);
  GraphBuilder& build = blocks.build();
  std::string x = embeddings(blocks, config.positive("vocab_size"), layer.hidden);
  for (int64_t i = 0; i < layers; ++i) {
    const std::string name = "layers." + std::to_string(i);
    const bool all = full[static_cast<size_t>(i)];
    const std::string attended = layer.attention(
        blocks, name + ".self_attn", layer.norm(blocks, name + ".input_layernorm", x),
        all ? far : near, blocks.mask(causal, all ? -1 : window));
    x = build.add(name + ".attention.residual", "Add",
                  {x, layer.norm(blocks, name + ".post_attention_layernorm", attended)});
    const std::string inner = layer.feed_forward(
        blocks, name + ".mlp", layer.norm(blocks, name + ".pre_feedforward_layernorm", x));
    x = build.add(name + ".mlp.residual", "Add",
                  {x, layer.norm(blocks, name + ".post_feedforward_layernorm", inner)});
  }
  x = layer.norm(blocks, "norm", x, layer.hidden, "last_hidden_state");
  add_hidden_output(out.graph, x, layer.hidden);
  return out;
}

}  // namespace embedforge
