#include "convert/architectures.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "config/model_keys.h"
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

/// Beginnings of the names of tensors, behind the encoder's prefix or none, that no embedding
/// needs: poolers, heads of pretraining and of other tasks, and what is computed anew.
constexpr const char* kIgnoredHeads[] = {"pooler.dense.",
                                         "cls.predictions.",
                                         "cls.seq_relationship.",
                                         "lm_head.",
                                         "vocab_transform.",
                                         "vocab_layer_norm.",
                                         "vocab_projector.",
                                         "qa_outputs.",
                                         "classifier.",
                                         "pre_classifier.",
                                         "score.",
                                         "head.dense.",
                                         "head.norm.",
                                         "decoder.",
                                         "embeddings.position_ids",
                                         "embeddings.token_type_ids",
                                         "rotary_emb.inv_freq"};

bool is_unneeded(std::string_view name) {
  return std::ranges::any_of(kIgnoredHeads,
                             [&](const char* head) { return name.starts_with(head); }) ||
         name.ends_with(".rotary_emb.inv_freq");
}

/// What nothing reads belongs to a model that this isn't: more layers, a projection, an adapter.
void refuse_unread(const EncoderSource& source, const std::string& prefix) {
  for (const auto& [name, tensor] : source.tensors) {
    if (source.used->contains(name) || is_unneeded(name)) continue;
    if (name.starts_with(prefix) && is_unneeded(std::string_view(name).substr(prefix.size())))
      continue;
    throw_bad_input("tensor \"" + name + "\": nothing reads it; the model that " +
                    source.config.name() + " describes has no such tensor");
  }
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
  const Architecture& architecture = find_architecture(source.config);
  check_model_keys(source.config, {});  // settings; unknown keys were told of when it was read
  std::set<std::string> used;
  EncoderSource counted = source;
  counted.used = &used;
  BuiltEncoder out = architecture.build(counted);
  if (source.classifier) add_classifier(counted, out);
  refuse_unread(counted, out.prefix);
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
  otherwise = config.number(key, otherwise);
  const nlohmann::json* all = config.find("rope_parameters");
  if (all == nullptr) return otherwise;
  JsonFile own = JsonFile::of(*all, config.name() + ": rope_parameters");
  const bool nested = std::ranges::any_of(*all, [](const auto& each) { return each.is_object(); });
  if (nested && kind.empty())
    throw_not_supported(own.name() + " by the kinds of layers are not supported here");
  if (!kind.empty()) {
    if (!nested && !all->empty())
      throw_not_supported(own.name() + " must be given for each kind of layers");
    const nlohmann::json* one = own.find(kind);
    own = JsonFile::of(one == nullptr ? nlohmann::json::object() : *one, own.name() + " " + kind);
  }
  static constexpr KnownKey kKeys[] = {
      {"rope_theta"},
      {"rope_type", KnownKey::Use::kOnly, R"(["default"])"},
      {"type", KnownKey::Use::kOnly, R"(["default"])"},
      {"partial_rotary_factor", KnownKey::Use::kOnly, "[1.0, 1]"},
      {"factor", KnownKey::Use::kHarmless},  // of a rope_type that scales
      {"original_max_position_embeddings", KnownKey::Use::kHarmless}};
  check_keys(own, {kKeys}, {.strict = true});
  return own.number("rope_theta", otherwise);
}

std::vector<bool> full_attention_layers(const JsonFile& config, int64_t layers,
                                        const std::string& key, int64_t otherwise, int64_t last) {
  std::vector<bool> out;
  const nlohmann::json* types = config.find("layer_types");
  if (types == nullptr) {
    const int64_t every = config.find(key) == nullptr ? otherwise : config.positive(key);
    for (int64_t i = 0; i < layers; ++i) out.push_back((i + last) % every == 0);
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
