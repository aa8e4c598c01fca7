#include "convert/bert.h"

#include "convert/architectures.h"
#include "convert/blocks.h"
#include "convert/classic_layer.h"

namespace embedforge {
namespace {

/// word[id] + type[type id] + position[0..sequence), normalized.
std::string embeddings(const BertConfig& config, Blocks& blocks) {
  GraphBuilder& build = blocks.build();
  const int64_t hidden = config.hidden_size;
  const std::string words =
      blocks.rows("embeddings.word_embeddings", "input_ids", config.vocabulary, hidden);
  const std::string types =
      blocks.rows("embeddings.token_type_embeddings", "token_type_ids", config.token_types, hidden);
  const std::string length =
      build.add("embeddings.length", "Shape", {"input_ids"}, {{"start", int64_t{1}}});
  const std::string zero = build.integers("embeddings.first", {0});
  const std::string table = "embeddings.position_embeddings.weight";
  const std::string positions =
      build.add("embeddings.positions", "Slice",
                {build.constant(table, blocks.weight(table, {config.max_positions, hidden})), zero,
                 length, zero});
  const std::string typed = build.add("embeddings.add_types", "Add", {words, types});
  const std::string sum = build.add("embeddings.add_positions", "Add", {typed, positions});
  return blocks.layer_norm("embeddings.LayerNorm", sum, hidden, config.epsilon, Bias::kAdded,
                           "embeddings.LayerNorm.output");
}

}  // namespace

Graph build_bert(const BertConfig& config, const TensorMap& weights, int opset) {
  Graph graph = encoder_graph("bert", opset, true);
  Blocks blocks(weights, "", graph);
  const ClassicLayer layer{.hidden = config.hidden_size,
                           .heads = config.heads,
                           .inner = config.intermediate_size,
                           .activation = config.activation,
                           .epsilon = config.epsilon,
                           .q = "attention.self.query",
                           .k = "attention.self.key",
                           .v = "attention.self.value",
                           .attention_out = "attention.output.dense",
                           .attention_norm = "attention.output.LayerNorm",
                           .up = "intermediate.dense",
                           .down = "output.dense",
                           .out_norm = "output.LayerNorm"};
  std::string hidden = embeddings(config, blocks);
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string name = "encoder.layer." + std::to_string(i);
    hidden = classic_layer(
        blocks, layer, name, hidden, blocks.mask(),
        i + 1 == config.layers ? "last_hidden_state" : name + ".output.LayerNorm.output");
  }
  add_hidden_output(graph, hidden, config.hidden_size);
  return graph;
}

BuiltEncoder build_bert_encoder(const EncoderSource& source) {
  const BertConfig config = read_bert_config(source.config);
  const TensorMap weights = bert_weights(config, source.tensors, source.used);
  return {build_bert(config, weights, source.opset), config.hidden_size,
          find_prefix(source.tensors, "embeddings.word_embeddings.weight", "bert.")};
}

}  // namespace embedforge
