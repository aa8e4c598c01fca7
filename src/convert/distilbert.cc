// DistilBERT (transformers' DistilBertConfig): BERT without token types, under names of its own.
#include <utility>

#include "convert/architectures.h"
#include "convert/blocks.h"
#include "convert/classic_layer.h"
#include "embedforge/error.h"

namespace embedforge {

BuiltEncoder build_distilbert(const EncoderSource& source) {
  const JsonFile& config = source.config;
  const int64_t hidden = config.positive("dim");
  const int64_t layers = layer_count(config, "n_layers");
  const ClassicLayer layer{.hidden = hidden,
                           .heads = config.positive("n_heads"),
                           .inner = config.positive("hidden_dim"),
                           .activation = config.string("activation", "gelu"),
                           .epsilon = 1e-12F,
                           .q = "attention.q_lin",
                           .k = "attention.k_lin",
                           .v = "attention.v_lin",
                           .attention_out = "attention.out_lin",
                           .attention_norm = "sa_layer_norm",
                           .up = "ffn.lin1",
                           .down = "ffn.lin2",
                           .out_norm = "output_layer_norm"};
  // transformers takes these for the same settings.
  const std::pair<const char*, int64_t> aliases[] = {
      {"hidden_size", hidden}, {"num_hidden_layers", layers}, {"num_attention_heads", layer.heads}};
  for (const auto& [key, value] : aliases) {
    if (config.integer(key, value) != value)
      throw_not_supported(config.name() + ": " + key + " contradicts dim, n_layers or n_heads");
  }
  check_heads(config, hidden, layer.heads);
  BuiltEncoder out{encoder_graph("distilbert", source.opset, false), hidden, ""};
  out.prefix = find_prefix(source.tensors, "embeddings.word_embeddings.weight", "distilbert.");
  Blocks blocks(source.tensors, out.prefix, out.graph, source.used);
  const std::string words =
      blocks.rows("embeddings.word_embeddings", "input_ids", config.positive("vocab_size"), hidden);
  const std::string places = blocks.rows("embeddings.position_embeddings", blocks.places(),
                                         config.positive("max_position_embeddings"), hidden);
  const std::string sum = blocks.build().add("embeddings.add_positions", "Add", {words, places});
  std::string x = blocks.layer_norm("embeddings.LayerNorm", sum, hidden, layer.epsilon,
                                    Bias::kAdded, "embeddings.LayerNorm.output");
  for (int64_t i = 0; i < layers; ++i) {
    const std::string name = "transformer.layer." + std::to_string(i);
    x = classic_layer(blocks, layer, name, x, blocks.mask(),
                      i + 1 == layers ? "last_hidden_state" : name + ".output");
  }
  add_hidden_output(out.graph, x, hidden);
  return out;
}

}  // namespace embedforge
