// Takes: config.json and the tensors of a checkpoint. Gives: the encoder as an ONNX graph, by the
// architecture that config.json names. Never: guesses an architecture.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "config/json_file.h"
#include "graph/graph.h"

namespace embedforge {

struct EncoderSource {
  const JsonFile& config;  // config.json
  const TensorMap& tensors;
  int opset = 17;
  bool classifier = false;                // it ends in the head of ...ForSequenceClassification
  std::set<std::string>* used = nullptr;  // the names of the tensors that the graph is made of
};

/// The graph's output is last_hidden_state, float32 [batch, sequence, hidden_size].
struct BuiltEncoder {
  Graph graph;
  int64_t hidden_size = 0;
  std::string prefix;  // of the encoder's tensors in the checkpoint
};

struct Architecture {
  const char* model_type;  // in config.json
  const char* models;      // well-known models of it
  BuiltEncoder (*build)(const EncoderSource& source);
};

/// Every architecture that convert knows.
std::span<const Architecture> architectures();

/// Errors: kNotSupported naming the architecture, with the list of those that are.
const Architecture& find_architecture(const JsonFile& config);

/// Builds the encoder that config.json describes, and, of a classifier, the head with the output
/// logits [batch, labels] instead of last_hidden_state. Errors: as find_architecture();
/// kNotSupported naming a setting; kBadInput naming the field or tensor, also one that nothing
/// reads and that is no head which embeddings don't need.
BuiltEncoder build_encoder(const EncoderSource& source);

// One file each. Errors: as build_encoder().
BuiltEncoder build_bert_encoder(const EncoderSource& source);
BuiltEncoder build_roberta(const EncoderSource& source);
BuiltEncoder build_distilbert(const EncoderSource& source);
BuiltEncoder build_mpnet(const EncoderSource& source);
BuiltEncoder build_nomic_bert(const EncoderSource& source);
BuiltEncoder build_modernbert(const EncoderSource& source);
BuiltEncoder build_qwen3(const EncoderSource& source);
BuiltEncoder build_gemma3(const EncoderSource& source);

/// Replaces the output last_hidden_state by logits.
void add_classifier(const EncoderSource& source, BuiltEncoder& encoder);

/// Refuses a setting of config.json that isn't the one value that is supported.
void expect_setting(const JsonFile& config, const std::string& key, bool expected);
/// Errors: kBadInput when hidden_size is no multiple of heads.
void check_heads(const JsonFile& config, int64_t hidden_size, int64_t heads);
/// The base of the rotary positions in layers of `kind` ("full_attention", "sliding_attention"; ""
/// where all layers have the same): from rope_parameters, as transformers 5 writes it, else from
/// the field `key`. Errors: kNotSupported for positions that are scaled or turn only a part.
double rotary_base(const JsonFile& config, const std::string& kind, const std::string& key,
                   double otherwise);
/// Whether each layer attends to all tokens: by layer_types, else one of every `key` layers
/// (`otherwise` where that isn't said): the first of them, or with `last` 1 the last.
/// Errors: kBadInput for a list that doesn't fit; kNotSupported for another kind.
std::vector<bool> full_attention_layers(const JsonFile& config, int64_t layers,
                                        const std::string& key, int64_t otherwise, int64_t last);
/// A number of layers. Errors: kBadInput beyond 1000.
int64_t layer_count(const JsonFile& config, const std::string& key);

}  // namespace embedforge
