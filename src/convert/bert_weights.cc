#include <array>
#include <utility>
#include <vector>

#include "config/json_file.h"
#include "convert/bert.h"
#include "convert/weights.h"
#include "embedforge/error.h"

namespace embedforge {
namespace {

constexpr int64_t kMaxLayers = 1000;
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

/// Models with a head, and some training libraries, put the encoder under a name of its own.
std::string find_prefix(const TensorMap& checkpoint) {
  static constexpr std::array<const char*, 5> kPrefixes = {"", "bert.", "model.", "0.auto_model.",
                                                           "auto_model."};
  for (const char* prefix : kPrefixes) {
    if (checkpoint.contains(std::string(prefix) + kFirstTensor)) return prefix;
  }
  throw_bad_input(std::string("the checkpoint lacks the tensor \"") + kFirstTensor +
                  "\" (looked for it with the prefixes bert., model., auto_model. and none)");
}

/// Old checkpoints call LayerNorm's weight gamma and its bias beta.
const Tensor* find_tensor(const TensorMap& checkpoint, const std::string& name) {
  const auto found = checkpoint.find(name);
  if (found != checkpoint.end()) return &found->second;
  const size_t norm = name.rfind("LayerNorm.");
  if (norm == std::string::npos) return nullptr;
  const auto old = checkpoint.find(
      name.substr(0, norm) + (name.ends_with("weight") ? "LayerNorm.gamma" : "LayerNorm.beta"));
  return old == checkpoint.end() ? nullptr : &old->second;
}

}  // namespace

BertConfig read_bert_config(const std::filesystem::path& path) {
  const JsonFile file = JsonFile::read(path);
  const std::string type = file.string("model_type", "");
  if (type != "bert") {
    throw_not_supported(path.string() + ": model_type \"" + type +
                        "\" is not supported by convert yet (supported: bert); export it with "
                        "optimum-cli and use the .onnx file");
  }
  const std::string positions = file.string("position_embedding_type", "absolute");
  if (positions != "absolute") {
    throw_not_supported(path.string() + ": position_embedding_type \"" + positions +
                        "\" is not supported (supported: absolute)");
  }
  if (file.boolean("is_decoder", false)) {
    throw_not_supported(path.string() + ": is_decoder is true; only encoders are supported");
  }
  BertConfig config;
  config.hidden_size = file.positive("hidden_size");
  config.layers = file.positive("num_hidden_layers");
  config.heads = file.positive("num_attention_heads");
  config.intermediate_size = file.positive("intermediate_size");
  config.vocabulary = file.positive("vocab_size");
  config.max_positions = file.positive("max_position_embeddings");
  config.token_types = file.positive("type_vocab_size");
  config.activation = file.string("hidden_act", "gelu");
  config.epsilon = static_cast<float>(file.number("layer_norm_eps", 1e-12));
  if (config.hidden_size % config.heads != 0) {
    throw_bad_input(path.string() + ": hidden_size " + std::to_string(config.hidden_size) +
                    " is no multiple of num_attention_heads " + std::to_string(config.heads));
  }
  if (config.layers > kMaxLayers) {
    throw_bad_input(path.string() + ": num_hidden_layers " + std::to_string(config.layers) +
                    " is more than 1000");
  }
  return config;
}

TensorMap bert_weights(const BertConfig& config, const TensorMap& checkpoint) {
  const std::string prefix = find_prefix(checkpoint);
  TensorMap weights;
  for (const Expected& expected : expected_tensors(config)) {
    const Tensor* tensor = find_tensor(checkpoint, prefix + expected.name);
    if (tensor == nullptr) {
      throw_bad_input("the checkpoint lacks the tensor \"" + prefix + expected.name + "\"");
    }
    if (tensor->dims != expected.dims) {
      throw_bad_input("tensor \"" + prefix + expected.name + "\": config.json gives it shape " +
                      dims_text(expected.dims) + ", the checkpoint has " + dims_text(tensor->dims));
    }
    weights[expected.name] = to_float32(*tensor, prefix + expected.name);
  }
  return weights;
}

}  // namespace embedforge
