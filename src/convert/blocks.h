// Takes: a checkpoint's tensors by their names. Gives: the parts that encoders are made of, as
// nodes of a graph. Never: uses a tensor whose shape isn't the expected one, or an operator that
// isn't standard.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <set>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "convert/graph_builder.h"
#include "graph/graph.h"

namespace embedforge {

/// The first of: none, the given, "model.", "0.auto_model.", "auto_model." under which the
/// checkpoint has the tensor `first`. Errors: kBadInput naming it.
std::string find_prefix(const TensorMap& checkpoint, const std::string& first,
                        const std::string& own);

/// An empty graph with the inputs input_ids and attention_mask (and token_type_ids): int64 [batch,
/// sequence].
Graph encoder_graph(const std::string& name, int opset, bool token_types);
/// Adds the output `name`: float32 [batch, sequence, width].
void add_hidden_output(Graph& graph, const std::string& name, int64_t width);

enum class Bias { kNone, kAdded };

class Blocks {
 public:
  /// `used`, unless null, gets the full name of every tensor that is taken.
  Blocks(const TensorMap& checkpoint, std::string prefix, Graph& graph,
         std::set<std::string>* used = nullptr);

  GraphBuilder& build() { return build_; }

  /// The tensor as float32. Errors: kBadInput naming it when it is missing or has another shape.
  Tensor weight(const std::string& name, const std::vector<int64_t>& dims) const;
  bool has(const std::string& name) const { return find(name) != checkpoint_.end(); }

  /// x W^T + b with the checkpoint's NAME.weight [n, k] and NAME.bias, times `scale`: [.., k] ->
  /// [.., n]
  std::string linear(const std::string& name, const std::string& x, int64_t k, int64_t n, Bias bias,
                     float scale = 1);
  /// Over the last axis; the node is called `output`.
  std::string layer_norm(const std::string& name, const std::string& x, int64_t width,
                         float epsilon, Bias bias, const std::string& output);
  /// x / sqrt(mean(x^2) + epsilon) * (NAME.weight + offset) over the last axis.
  std::string rms_norm(const std::string& name, const std::string& x, int64_t width, float epsilon,
                       const std::string& output, float offset);
  /// Rows of NAME.weight [rows, width] by `indices`.
  std::string rows(const std::string& name, const std::string& indices, int64_t count,
                   int64_t width);

  /// 0, 1, .. for each token of the sequence: int64 [sequence].
  std::string places();
  /// RoBERTa's: the n-th token that isn't padding has n + padding id; padding has the padding id.
  std::string places_after_padding(int64_t pad_id);
  /// 0 for keys that are attended to, the lowest float for others: [batch, 1, 1 or sequence,
  /// sequence]. `window`: keys at most that far; -1: all.
  std::string mask(bool causal = false, int64_t window = -1);

  /// [batch, sequence, count * size] -> [batch, count, sequence, size], or with the last two
  /// swapped.
  std::string heads(const std::string& x, int64_t count, int64_t size, bool swapped = false);
  /// [batch, count, sequence, size] turned by place / theta^(2 i / size).
  std::string rotated(const std::string& x, int64_t size, double theta);
  /// softmax(scale * q k^T + mask) v, heads side by side: q, v [batch, heads, sequence, size], k
  /// swapped -> [batch, sequence, heads * size]
  std::string attention(const std::string& name, const std::string& q, const std::string& k,
                        const std::string& v, float scale, const std::string& mask, int64_t width);
  /// gelu, gelu_new, gelu_pytorch_tanh, relu, silu (or swish), tanh. Errors: kNotSupported for
  /// others.
  std::string activation(const std::string& name, const std::string& kind, const std::string& x);

 private:
  TensorMap::const_iterator find(const std::string& name) const;
  std::string angles(int64_t size, double theta);
  std::string padding_mask();

  const TensorMap& checkpoint_;
  std::string prefix_;
  Graph& graph_;
  GraphBuilder build_;
  std::map<std::string, bool> made_;
  std::set<std::string>* used_;
};

}  // namespace embedforge
