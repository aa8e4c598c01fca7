#include <array>
#include <utility>
#include <vector>

#include "config/json_file.h"
#include "convert/architectures.h"
#include "convert/bert.h"
#include "convert/blocks.h"
#include "embedforge/error.h"

namespace embedforge {
namespace {

constexpr const char* kFirstTensor = "embeddings.word_embeddings.weight";

struct Expected {
  std::string name;
  std::vector<int64_t> dims;
};

/// A linear layer's or normalization's pair of tensors.
void expect_pair(std::vector<Expected>& list, const std::string& name, std::vector<int64_t> dims) {
  const int64_t outputs = dims[0];
  list.push_back({name + ".weight", std::move(dims)});
  list.push_back({name + ".bias", {outputs}});
}

std::vector<Expected> expected_tensors(const BertConfig& config) {
  const int64_t hidden = config.hidden_size;
  std::vector<Expected> list;
  list.push_back({kFirstTensor, {config.vocabulary, hidden}});
  list.push_back({"embeddings.position_embeddings.weight", {config.max_positions, hidden}});
  list.push_back({"embeddings.token_type_embeddings.weight", {config.token_types, hidden}});
  expect_pair(list, "embeddings.LayerNorm", {hidden});
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string layer = "encoder.layer." + std::to_string(i);
    for (const char* part : {"query", "key", "value"}) {
      expect_pair(list, layer + ".attention.self." + part, {hidden, hidden});
    }
    expect_pair(list, layer + ".attention.output.dense", {hidden, hidden});
    expect_pair(list, layer + ".attention.output.LayerNorm", {hidden});
    expect_pair(list, layer + ".intermediate.dense", {config.intermediate_size, hidden});
    expect_pair(list, layer + ".output.dense", {hidden, config.intermediate_size});
    expect_pair(list, layer + ".output.LayerNorm", {hidden});
  }
  return list;
}

}  // namespace

BertConfig read_bert_config(const JsonFile& file) {
  BertConfig config;
  config.hidden_size = file.positive("hidden_size");
  config.layers = layer_count(file, "num_hidden_layers");
  config.heads = file.positive("num_attention_heads");
  config.intermediate_size = file.positive("intermediate_size");
  config.vocabulary = file.positive("vocab_size");
  config.max_positions = file.positive("max_position_embeddings");
  config.token_types = file.positive("type_vocab_size");
  config.activation = file.string("hidden_act", "gelu");
  config.epsilon = static_cast<float>(file.number("layer_norm_eps", 1e-12));
  check_heads(file, config.hidden_size, config.heads);
  return config;
}

TensorMap bert_weights(const BertConfig& config, const TensorMap& checkpoint,
                       std::set<std::string>* used) {
  Graph unused;
  const Blocks blocks(checkpoint, find_prefix(checkpoint, kFirstTensor, "bert."), unused, used);
  TensorMap weights;
  for (const Expected& expected : expected_tensors(config)) {
    weights[expected.name] = blocks.weight(expected.name, expected.dims);
  }
  return weights;
}

}  // namespace embedforge
