#include "convert/architectures.h"

#include <array>

#include "embedforge/error.h"

namespace embedforge {
namespace {

constexpr std::array<Architecture, 9> kArchitectures = {{
    {"bert", "all-MiniLM, bge-small/base/large, e5, gte, mxbai-embed, snowflake-arctic-embed",
     build_bert_encoder},
    {"roberta", "all-distilroberta-v1, all-roberta-large-v1", build_roberta},
    {"xlm-roberta", "bge-m3 (dense), multilingual-e5, bge-reranker, snowflake-arctic-embed-l-v2.0",
     build_roberta},
    {"camembert", "sentence-camembert", build_roberta},
    {"distilbert", "msmarco-distilbert, multi-qa-distilbert", build_distilbert},
    {"mpnet", "all-mpnet-base-v2, multi-qa-mpnet-base, paraphrase-mpnet-base-v2", build_mpnet},
    {"nomic_bert", "nomic-embed-text-v1, nomic-embed-text-v1.5", build_nomic_bert},
    {"modernbert", "gte-modernbert-base, modernbert-embed-base, granite-embedding-english-r2",
     build_modernbert},
    {"qwen3", "Qwen3-Embedding-0.6B, -4B, -8B", build_qwen3},
}};

constexpr int64_t kMaxLayers = 1000;

bool is_classifier(const JsonFile& config) {
  const nlohmann::json* names = config.find("architectures");
  if (names == nullptr || !names->is_array()) return false;
  for (const nlohmann::json& name : *names) {
    if (name.is_string() && name.get<std::string>().ends_with("ForSequenceClassification"))
      return true;
  }
  return false;
}

}  // namespace

std::span<const Architecture> architectures() { return kArchitectures; }

const Architecture& find_architecture(const JsonFile& config) {
  const std::string type = config.string("model_type", "");
  std::string known;
  for (const Architecture& each : kArchitectures) {
    if (type == each.model_type) return each;
    known += (known.empty() ? "" : ", ") + std::string(each.model_type);
  }
  throw_not_supported(config.name() + ": model_type \"" + type +
                      "\" is not supported by convert (supported: " + known +
                      "); export it with optimum-cli and use the .onnx file");
}

BuiltEncoder build_encoder(const EncoderSource& source) {
  BuiltEncoder out = find_architecture(source.config).build(source);
  if (is_classifier(source.config)) add_classifier(source, out);
  return out;
}

void expect_setting(const JsonFile& config, const std::string& key, bool expected) {
  if (config.boolean(key, expected) == expected) return;
  throw_not_supported(config.name() + ": " + key + " is " + (expected ? "false" : "true") +
                      "; only " + (expected ? "true" : "false") + " is supported");
}

void check_heads(const JsonFile& config, int64_t hidden_size, int64_t heads) {
  if (hidden_size % heads == 0) return;
  throw_bad_input(config.name() + ": hidden size " + std::to_string(hidden_size) +
                  " is no multiple of " + std::to_string(heads) + " attention heads");
}

int64_t layer_count(const JsonFile& config, const std::string& key) {
  const int64_t layers = config.positive(key);
  if (layers <= kMaxLayers) return layers;
  throw_bad_input(config.name() + ": " + key + " " + std::to_string(layers) + " is more than 1000");
}

}  // namespace embedforge
