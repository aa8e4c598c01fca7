// RoBERTa, XLM-RoBERTa and CamemBERT (transformers' RobertaConfig): BERT's layers; positions start
// after the padding id.
#include "checkpoint/weights.h"
#include "convert/architectures.h"
#include "convert/blocks.h"
#include "convert/classic_layer.h"
#include "embedforge/error.h"

namespace embedforge {
namespace {

/// Positions count the tokens that aren't padding: a frame token with the padding's id would not
/// count, and texts without padding have one.
void refuse_pad_id(const JsonFile& config) {
  const int64_t pad = config.integer("pad_token_id", 1);
  const bool none =
      config.value().contains("pad_token_id") && config.find("pad_token_id") == nullptr;
  if (!none && pad >= 0 && pad != config.integer("bos_token_id", 0) &&
      pad != config.integer("eos_token_id", 2))
    return;
  throw_not_supported(config.name() + ": pad_token_id is " + (none ? "null" : std::to_string(pad)) +
                      "; it must be an id of its own, not that of bos or eos");
}

}  // namespace

BuiltEncoder build_roberta(const EncoderSource& source) {
  const JsonFile& config = source.config;
  const int64_t hidden = config.positive("hidden_size");
  const int64_t layers = layer_count(config, "num_hidden_layers");
  const ClassicLayer layer{.hidden = hidden,
                           .heads = config.positive("num_attention_heads"),
                           .inner = config.positive("intermediate_size"),
                           .activation = config.string("hidden_act", "gelu"),
                           .epsilon = static_cast<float>(config.number("layer_norm_eps", 1e-12)),
                           .q = "attention.self.query",
                           .k = "attention.self.key",
                           .v = "attention.self.value",
                           .attention_out = "attention.output.dense",
                           .attention_norm = "attention.output.LayerNorm",
                           .up = "intermediate.dense",
                           .down = "output.dense",
                           .out_norm = "output.LayerNorm"};
  check_heads(config, hidden, layer.heads);
  refuse_pad_id(config);
  BuiltEncoder out{encoder_graph("roberta", source.opset, false), hidden, ""};
  out.prefix = find_prefix(source.tensors, "embeddings.word_embeddings.weight", "roberta.");
  Blocks blocks(source.tensors, out.prefix, out.graph, source.used);
  const std::string words =
      blocks.rows("embeddings.word_embeddings", "input_ids", config.positive("vocab_size"), hidden);
  const std::string places =
      blocks.rows("embeddings.position_embeddings",
                  blocks.places_after_padding(config.integer("pad_token_id", 1)),
                  config.positive("max_position_embeddings"), hidden);
  std::string sum = blocks.build().add("embeddings.add_positions", "Add", {words, places});
  // Every token is of type 0.
  const int64_t types = config.positive("type_vocab_size");
  const Tensor rows = blocks.weight("embeddings.token_type_embeddings.weight", {types, hidden});
  const std::span<const float> first = rows.as<float>().first(static_cast<size_t>(hidden));
  const std::string type = blocks.build().constant(
      "embeddings.token_type", Tensor::from_floats({hidden}, {first.begin(), first.end()}));
  sum = blocks.build().add("embeddings.add_type", "Add", {sum, type});
  std::string x = blocks.layer_norm("embeddings.LayerNorm", sum, hidden, layer.epsilon,
                                    Bias::kAdded, "embeddings.LayerNorm.output");
  for (int64_t i = 0; i < layers; ++i) {
    const std::string name = "encoder.layer." + std::to_string(i);
    x = classic_layer(blocks, layer, name, x, blocks.mask(),
                      i + 1 == layers ? "last_hidden_state" : name + ".output.LayerNorm.output");
  }
  add_hidden_output(out.graph, x, hidden);
  return out;
}

}  // namespace embedforge
