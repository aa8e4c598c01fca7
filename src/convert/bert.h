// Takes: a BERT checkpoint's config.json and tensors. Gives: the encoder as an ONNX graph of
// standard operators. Never: changes a weight's value, except by a power of two where attention's
// scale is one.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "checkpoint/checkpoint.h"
#include "config/json_file.h"
#include "graph/graph.h"

namespace embedforge {

/// The fields of config.json that shape a BERT encoder (transformers' BertConfig).
struct BertConfig {
  int64_t hidden_size = 0;
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t intermediate_size = 0;
  int64_t vocabulary = 0;
  int64_t max_positions = 0;
  int64_t token_types = 0;
  std::string activation;  // gelu, gelu_new, gelu_pytorch_tanh or relu
  float epsilon = 1e-12F;

  int64_t head_size() const { return hidden_size / heads; }
};

/// `file`: config.json. Errors: kBadInput with file and field; kNotSupported for a position
/// embedding that isn't absolute.
BertConfig read_bert_config(const JsonFile& file);

/// The checkpoint's tensors under their names without prefix ("embeddings.word_embeddings.weight"),
/// as float32, checked: every tensor that the encoder needs is there and has the shape that
/// config.json gives. Others (pooler, heads) are left out. Errors: kBadInput with the tensor, the
/// shape expected and the shape found. `used` as Blocks takes it.
TensorMap bert_weights(const BertConfig& config, const TensorMap& checkpoint,
                       std::set<std::string>* used = nullptr);

/// Inputs input_ids, attention_mask, token_type_ids: int64 [batch, sequence]. Output
/// last_hidden_state: float32 [batch, sequence, hidden]. Weights of linear layers are stored [in,
/// out].
Graph build_bert(const BertConfig& config, const TensorMap& weights, int opset);

}  // namespace embedforge
