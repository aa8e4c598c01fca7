// Takes: a model folder. Gives: what its JSON files say about the embedding (length, pooling,
// normalization, prompts). Never: reads weights or tokenizers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "config/known_keys.h"
#include "embedforge/pooling.h"

namespace embedforge {

/// A module between Pooling and Normalize in modules.json, with its folder of config.json and
/// weights.
///   kDense      y = activation(W x + b): linear.weight [out, in] and linear.bias
///   kLayerNorm  y = (x - mean) / sqrt(variance + 1e-5) * norm.weight + norm.bias
struct HeadModule {
  enum class Kind { kDense, kLayerNorm };
  Kind kind = Kind::kDense;
  std::filesystem::path folder;
  int64_t in_features = 0, out_features = 0;  // kDense; as are the rest
  bool bias = true;
  std::string activation;  // "identity", "tanh", "relu", "gelu", "sigmoid", "silu"
};

/// What sentence-transformers reads from a model folder (modules.json and the files that it names,
/// config.json for the rest).
struct ModelConfig {
  std::filesystem::path transformer;  // the folder of config.json, tokenizer and weights: the model
                                      // folder, or its 0_Transformer
  std::string architecture;           // config.json model_type, such as "bert"
  int64_t hidden_size = 0;
  int64_t max_position_embeddings = 0;  // 0: not said
  int64_t pad_token_id = 0;
  int64_t max_length =
      0;  // sentence_bert_config.json max_seq_length, else the tokenizer's or the model's limit
  bool lower_case = false;  // sentence_bert_config.json do_lower_case
  /// 1_Pooling/config.json's; several are concatenated in this order.
  std::vector<Pooling> pooling = {Pooling::kMean};
  bool include_prompt =
      true;  // 1_Pooling include_prompt: false leaves the prompt's tokens out of the pooling
  std::vector<HeadModule> head;  // in the order in which they are applied
  bool normalize = false;        // modules.json has a Normalize module
  std::map<std::string, std::string> prompts;
  std::string default_prompt_name;
  std::string similarity = "cosine";  // config_sentence_transformers.json similarity_fn_name
  int64_t truncate_dim = 0;  // config_sentence_transformers.json's: vectors are cut to it; 0: not
  /// modules.json, or without one the architecture that config.json names, gives scores of pairs.
  bool scores = false;
  /// What a cross-encoder's score is made of its one logit with: sigmoid, or the logit itself.
  bool sigmoid = true;
  bool own_prompts = false;  // the prompts are the folder's, not this package's
  std::vector<std::filesystem::path> module_folders;  // that modules.json names
  bool has_modules = false;  // false: no modules.json, the defaults above are a guess as
                             // sentence-transformers makes it
};

/// Errors: kBadInput with file and field; kNotSupported for a module type or a setting that isn't
/// handled (named); as notices.tell() for keys that no table knows.
ModelConfig read_model_config(const std::filesystem::path& folder, const Notices& notices = {});

}  // namespace embedforge
