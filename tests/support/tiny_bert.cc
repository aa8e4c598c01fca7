#include "support/tiny_bert.h"

#include <fstream>
#include <nlohmann/json.hpp>

namespace embedforge {
namespace {

/// Uniform in [-0.5, 0.5), the same on every machine (Numerical Recipes' linear congruence).
class Uniform {
 public:
  float next() {
    state_ = state_ * 1664525U + 1013904223U;
    return static_cast<float>(state_ >> 8U) / 16777216.0F - 0.5F;
  }

 private:
  uint32_t state_ = 1;
};

}  // namespace

BertConfig tiny_config() {
  BertConfig config;
  config.hidden_size = 32;
  config.layers = 2;
  config.heads = 4;
  config.intermediate_size = 48;
  config.vocabulary = 50;
  config.max_positions = 16;
  config.token_types = 2;
  config.activation = "gelu";
  return config;
}

TensorMap tiny_weights(const BertConfig& config) {
  TensorMap weights;
  Uniform uniform;
  const auto add = [&](const std::string& name, std::vector<int64_t> dims, float center) {
    int64_t count = 1;
    for (const int64_t dim : dims) count *= dim;
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = center + uniform.next();
    weights[name] = Tensor::from_floats(std::move(dims), std::move(values));
  };
  const int64_t hidden = config.hidden_size;
  const int64_t inner = config.intermediate_size;
  add("embeddings.word_embeddings.weight", {config.vocabulary, hidden}, 0);
  add("embeddings.position_embeddings.weight", {config.max_positions, hidden}, 0);
  add("embeddings.token_type_embeddings.weight", {config.token_types, hidden}, 0);
  add("embeddings.LayerNorm.weight", {hidden}, 1);
  add("embeddings.LayerNorm.bias", {hidden}, 0);
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string layer = "encoder.layer." + std::to_string(i);
    for (const char* part : {".attention.self.query", ".attention.self.key",
                             ".attention.self.value", ".attention.output.dense"}) {
      add(layer + part + ".weight", {hidden, hidden}, 0);
      add(layer + part + ".bias", {hidden}, 0);
    }
    add(layer + ".intermediate.dense.weight", {inner, hidden}, 0);
    add(layer + ".intermediate.dense.bias", {inner}, 0);
    add(layer + ".output.dense.weight", {hidden, inner}, 0);
    add(layer + ".output.dense.bias", {hidden}, 0);
    for (const char* part : {".attention.output.LayerNorm", ".output.LayerNorm"}) {
      add(layer + part + ".weight", {hidden}, 1);
      add(layer + part + ".bias", {hidden}, 0);
    }
  }
  return weights;
}

std::string safetensors_bytes(const TensorMap& tensors) {
  nlohmann::json header;
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
    header[name] = {{"dtype", tensor.type == DataType::kFloat ? "F32" : "BF16"},
                    {"shape", tensor.dims},
                    {"data_offsets", {begin, data.size()}}};
  }
  const std::string text = header.dump();
  const uint64_t size = text.size();
  return std::string(reinterpret_cast<const char*>(&size), 8) + text + data;
}

void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

void write_tiny_model(const std::filesystem::path& folder) {
  const BertConfig config = tiny_config();
  const nlohmann::json json = {{"model_type", "bert"},
                               {"hidden_size", config.hidden_size},
                               {"num_hidden_layers", config.layers},
                               {"num_attention_heads", config.heads},
                               {"intermediate_size", config.intermediate_size},
                               {"vocab_size", config.vocabulary},
                               {"max_position_embeddings", config.max_positions},
                               {"type_vocab_size", config.token_types},
                               {"hidden_act", config.activation}};
  write_bytes(folder / "config.json", json.dump());
  write_bytes(folder / "tokenizer.json", "{}");
  write_bytes(folder / "1_Pooling/config.json", R"({"pooling_mode_mean_tokens": true})");
  write_bytes(folder / "modules.json", R"([
    {"path": "", "type": "sentence_transformers.models.Transformer"},
    {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}])");
  write_bytes(folder / "model.safetensors", safetensors_bytes(tiny_weights(config)));
}

}  // namespace embedforge
