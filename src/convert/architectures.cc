#include "convert/architectures.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "embedforge/error.h"

namespace embedforge {
namespace {

constexpr std::array<Architecture, 10> kArchitectures = {{
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
    {"gemma3_text", "embeddinggemma-300m", build_gemma3},
}};

constexpr int64_t kMaxLayers = 1000;

/// "encoder.layer.5" of "encoder.layer.5.output.dense.weight"; "" where no part is a number.
std::string layer_of(const std::string& tensor) {
  for (size_t begin = 0; begin < tensor.size();) {
    const size_t end = std::min(tensor.find('.', begin), tensor.size());
    const std::string_view part = std::string_view(tensor).substr(begin, end - begin);
    if (!part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos)
      return tensor.substr(0, end);
    begin = end + 1;
  }
  return "";
}

/// A checkpoint with more layers than config.json asks for is another model's.
void refuse_further_layers(const EncoderSource& source, const BuiltEncoder& built) {
  std::set<std::string> layers;
  for (const auto& [name, tensor] : built.graph.initializers) layers.insert(layer_of(name));
  for (const auto& [name, tensor] : source.tensors) {
    if (!name.starts_with(built.prefix)) continue;
    const std::string layer = layer_of(name.substr(built.prefix.size()));
    const std::string first = layer.substr(0, layer.rfind('.') + 1) + "0";
    if (layers.contains(layer) || !layers.contains(first)) continue;
    throw_bad_input("tensor \"" + name + "\": " + source.config.name() +
                    " asks for fewer layers than the checkpoint has");
  }
}

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
  refuse_further_layers(source, out);
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

double rotary_base(const JsonFile& config, const std::string& kind, const std::string& key,
                   double otherwise) {
  const auto refuse = [&](const std::string& what) {
    throw_not_supported(config.name() + ": " + what + " of rotary positions is not supported");
  };
  if (config.find("rope_scaling") != nullptr) refuse("rope_scaling");
  const nlohmann::json* all = config.find("rope_parameters");
  if (all == nullptr) return config.number(key, otherwise);
  JsonFile own = JsonFile::of(*all, config.name() + ": rope_parameters");
  if (const nlohmann::json* one = own.find(kind)) own = JsonFile::of(*one, own.name());
  const std::string type = own.string("rope_type", "default");
  if (type != "default") refuse("rope_type \"" + type + "\"");
  if (own.number("partial_rotary_factor", 1) != 1) refuse("partial_rotary_factor");
  return own.number("rope_theta", otherwise);
}

std::vector<bool> full_attention_layers(const JsonFile& config, int64_t layers,
                                        const std::string& key) {
  std::vector<bool> out;
  const nlohmann::json* types = config.find("layer_types");
  if (types == nullptr) {
    const int64_t every = config.positive(key);
    for (int64_t i = 0; i < layers; ++i) out.push_back(i % every == 0);
    return out;
  }
  if (!types->is_array() || types->size() != static_cast<size_t>(layers)) {
    throw_bad_input(config.name() + ": layer_types must name the kind of each of the " +
                    std::to_string(layers) + " layers");
  }
  for (const nlohmann::json& type : *types) {
    const std::string kind = type.is_string() ? type.get<std::string>() : type.dump();
    if (kind != "full_attention" && kind != "sliding_attention")
      throw_not_supported(config.name() + ": layer_types has \"" + kind +
                          "\"; supported are full_attention and sliding_attention");
    out.push_back(kind == "full_attention");
  }
  return out;
}

int64_t layer_count(const JsonFile& config, const std::string& key) {
  const int64_t layers = config.positive(key);
  if (layers <= kMaxLayers) return layers;
  throw_bad_input(config.name() + ": " + key + " " + std::to_string(layers) + " is more than 1000");
}

}  // namespace embedforge
