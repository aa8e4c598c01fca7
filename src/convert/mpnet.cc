// MPNet (transformers' MPNetConfig): RoBERTa's positions without token types, and one bias of
// attention by distance for all layers.
#include <cmath>

#include "convert/architectures.h"
#include "convert/blocks.h"
#include "convert/classic_layer.h"

namespace embedforge {
namespace {

constexpr int64_t kFurthest = 128;  // distances from there on share a bucket

/// T5's buckets (https://arxiv.org/abs/1910.10683, 2.1): half for keys after the query; half of
/// each for small distances one by one, the rest for ranges that grow to kFurthest. In float32, as
/// transformers computes it, since whole powers fall on the bounds.
int64_t bucket(int64_t distance, int64_t buckets) {
  const int64_t half = buckets / 2;
  const int64_t exact = half / 2;
  const int64_t start = distance > 0 ? half : 0;
  const int64_t n = std::abs(distance);
  if (n < exact) return start + n;
  const float logarithm = std::log(static_cast<float>(n) / static_cast<float>(exact));
  const auto whole =
      static_cast<float>(std::log(static_cast<double>(kFurthest) / static_cast<double>(exact)));
  const auto large =
      exact + static_cast<int64_t>(logarithm / whole * static_cast<float>(half - exact));
  return start + std::min(large, half - 1);
}

/// mask + bias[key - query] for each head: [batch, heads, sequence, sequence]
std::string biased_mask(Blocks& blocks, int64_t heads, int64_t buckets) {
  GraphBuilder& build = blocks.build();
  const Tensor rows = blocks.weight("encoder.relative_attention_bias.weight", {buckets, heads});
  std::vector<float> table;
  for (int64_t distance = -kFurthest; distance <= kFurthest; ++distance) {
    const auto row = static_cast<size_t>(bucket(distance, buckets) * heads);
    const auto from = rows.as<float>().subspan(row, static_cast<size_t>(heads));
    table.insert(table.end(), from.begin(), from.end());
  }
  const std::string keys =
      build.add("bias.keys", "Unsqueeze", {blocks.places(), build.integers("axis.first", {0})});
  const std::string queries =
      build.add("bias.queries", "Unsqueeze", {blocks.places(), build.integers("axis.second", {1})});
  const auto number = [&](const std::string& name, int64_t value) {
    return build.constant(name, Tensor::from_ints({}, {value}));
  };
  const std::string furthest = number("bias.furthest", kFurthest);
  const std::string distance = build.add("bias.distance", "Sub", {keys, queries});
  const std::string most = build.add("bias.most", "Min", {distance, furthest});
  const std::string least =
      build.add("bias.least", "Max", {most, number("bias.nearest", -kFurthest)});
  const std::string index = build.add("bias.index", "Add", {least, furthest});
  const std::string values =
      build.add("bias.values", "Gather",
                {build.constant("encoder.relative_attention_bias",
                                Tensor::from_floats({2 * kFurthest + 1, heads}, std::move(table))),
                 index});
  const std::string by_head =
      build.add("bias.by_head", "Transpose", {values}, {{"perm", std::vector<int64_t>{2, 0, 1}}});
  const std::string wide =
      build.add("bias.wide", "Unsqueeze", {by_head, build.integers("axis.first", {0})});
  return build.add("bias.masked", "Add", {wide, blocks.mask()});
}

}  // namespace

BuiltEncoder build_mpnet(const EncoderSource& source) {
  const JsonFile& config = source.config;
  const int64_t hidden = config.positive("hidden_size");
  const int64_t layers = layer_count(config, "num_hidden_layers");
  const ClassicLayer layer{.hidden = hidden,
                           .heads = config.positive("num_attention_heads"),
                           .inner = config.positive("intermediate_size"),
                           .activation = config.string("hidden_act", "gelu"),
                           .epsilon = static_cast<float>(config.number("layer_norm_eps", 1e-12)),
                           .q = "attention.attn.q",
                           .k = "attention.attn.k",
                           .v = "attention.attn.v",
                           .attention_out = "attention.attn.o",
                           .attention_norm = "attention.LayerNorm",
                           .up = "intermediate.dense",
                           .down = "output.dense",
                           .out_norm = "output.LayerNorm"};
  check_heads(config, hidden, layer.heads);
  BuiltEncoder out{encoder_graph("mpnet", source.opset, false), hidden, ""};
  out.prefix = find_prefix(source.tensors, "embeddings.word_embeddings.weight", "mpnet.");
  Blocks blocks(source.tensors, out.prefix, out.graph, source.used);
  const std::string words =
      blocks.rows("embeddings.word_embeddings", "input_ids", config.positive("vocab_size"), hidden);
  // The positions start after padding id 1, whatever the configuration says.
  const std::string places =
      blocks.rows("embeddings.position_embeddings", blocks.places_after_padding(1),
                  config.positive("max_position_embeddings"), hidden);
  const std::string sum = blocks.build().add("embeddings.add_positions", "Add", {words, places});
  std::string x = blocks.layer_norm("embeddings.LayerNorm", sum, hidden, layer.epsilon,
                                    Bias::kAdded, "embeddings.LayerNorm.output");
  const int64_t buckets = config.integer("relative_attention_num_buckets", 32);
  const std::string mask = biased_mask(blocks, layer.heads, buckets);
  for (int64_t i = 0; i < layers; ++i) {
    const std::string name = "encoder.layer." + std::to_string(i);
    x = classic_layer(blocks, layer, name, x, mask,
                      i + 1 == layers ? "last_hidden_state" : name + ".output.LayerNorm.output");
  }
  add_hidden_output(out.graph, x, hidden);
  return out;
}

}  // namespace embedforge
