#include "convert/pooling.h"

#include <string>
#include <vector>

#include "checkpoint/dense.h"
#include "checkpoint/weights.h"
#include "convert/blocks.h"
#include "convert/graph_builder.h"
#include "embedforge/error.h"

namespace embedforge {
namespace {

constexpr const char* kHidden = "last_hidden_state";
constexpr const char* kMask = "attention_mask";

class PoolingBuilder {
 public:
  explicit PoolingBuilder(Graph& graph)
      : graph_(graph), build_(graph), opset_(graph.opsets.at("")) {
    const std::string real = build_.add("pooling.mask", "Cast", {kMask},
                                        {{"to", static_cast<int64_t>(DataType::kFloat)}});
    mask_ =
        build_.add("pooling.wide_mask", "Unsqueeze", {real, build_.integers("axis.last", {-1})});
  }

  std::string add(Pooling mode) {
    switch (mode) {
      case Pooling::kCls:
        return build_.add("pooling.cls", "Gather",
                          {kHidden, build_.constant("pooling.first", Tensor::from_ints({}, {0}))},
                          {{"axis", int64_t{1}}});
      case Pooling::kMax:
        return maximum();
      case Pooling::kMean:
        return build_.add("pooling.mean", "Div", {sum("pooling.sum", mask_), token_count()});
      case Pooling::kMeanSqrtLength:
        return build_.add("pooling.mean_sqrt", "Div",
                          {sum("pooling.sqrt_sum", mask_),
                           build_.add("pooling.sqrt_count", "Sqrt", {token_count()})});
      case Pooling::kWeightedMean:
        return weighted_mean();
      case Pooling::kLast:
        return last();
    }
    return "";
  }

  /// x / max(|x|, 1e-12), row by row.
  std::string normalized(const std::string& x, const std::string& output) {
    const std::string square = build_.add("normalize.square", "Mul", {x, x});
    const std::string total =
        build_.add("normalize.sum", "ReduceSum", {square, build_.integers("axis.last", {-1})});
    const std::string norm = build_.add("normalize.norm", "Sqrt", {total});
    const std::string bounded =
        build_.add("normalize.bounded", "Max", {norm, build_.scalar("normalize.least", 1e-12F)});
    return build_.add(output, "Div", {x, bounded});
  }

  std::string joined(const std::vector<std::string>& parts) {
    if (parts.size() == 1) return parts[0];
    std::string all = parts[0];
    for (size_t i = 1; i < parts.size(); ++i) {
      all = build_.add("pooling.joined_" + std::to_string(i), "Concat", {all, parts[i]},
                       {{"axis", int64_t{-1}}});
    }
    return all;
  }

  /// activation(x W^T + b)
  std::string dense(const std::string& name, const std::string& x, const HeadModule& module) {
    const DenseWeights weights = read_dense_weights(module);
    std::string product =
        build_.linear(name, x, build_.constant(name + ".weight", transposed(weights.weight)),
                      build_.constant(name + ".bias", weights.bias));
    if (module.activation == "identity") return product;
    static const TensorMap kNone;
    return Blocks(kNone, "", graph_).activation(name + ".activation", module.activation, product);
  }

  void alias(const std::string& value, const std::string& output) {
    build_.add(output, "Identity", {value});
  }

 private:
  std::string sum_over_tokens(const std::string& name, const std::string& x) {
    return build_.add(name, "ReduceSum", {x, build_.integers("axis.tokens", {1})},
                      {{"keepdims", int64_t{0}}});
  }
  std::string sum(const std::string& name, const std::string& weights) {
    return sum_over_tokens(name, build_.add(name + ".weighted", "Mul", {kHidden, weights}));
  }
  /// max(weights' sum, 1e-9): [batch, 1]
  std::string bounded_sum(const std::string& name, const std::string& weights) {
    return build_.add(
        name, "Max",
        {sum_over_tokens(name + ".sum", weights), build_.scalar("pooling.least", 1e-9F)});
  }
  std::string token_count() {
    if (count_.empty()) count_ = bounded_sum("pooling.count", mask_);
    return count_;
  }
  std::string maximum() {
    const std::string real = build_.add("pooling.is_token", "Cast", {mask_},
                                        {{"to", static_cast<int64_t>(DataType::kBool)}});
    const std::string masked = build_.add("pooling.masked", "Where",
                                          {real, kHidden, build_.scalar("pooling.lowest", -1e9F)});
    if (opset_ < 18) {  // the axes became an input then
      return build_.add("pooling.max", "ReduceMax", {masked},
                        {{"axes", std::vector<int64_t>{1}}, {"keepdims", int64_t{0}}});
    }
    return build_.add("pooling.max", "ReduceMax", {masked, build_.integers("axis.tokens", {1})},
                      {{"keepdims", int64_t{0}}});
  }
  /// Token i of a text (from 1) weighs i.
  std::string weighted_mean() {
    const std::string one = build_.constant("pooling.token_axis", Tensor::from_ints({}, {1}));
    const std::string places = build_.add("pooling.places", "CumSum", {mask_, one});
    const std::string weights = build_.add("pooling.weights", "Mul", {places, mask_});
    return build_.add("pooling.weighted_mean", "Div",
                      {sum("pooling.place_sum", weights), bounded_sum("pooling.total", weights)});
  }
  std::string last() {
    const std::string place = build_.add("pooling.last_place", "ArgMax", {kMask},
                                         {{"axis", int64_t{1}}, {"select_last_index", int64_t{1}}});
    return build_.add("pooling.last", "GatherND", {kHidden, place}, {{"batch_dims", int64_t{1}}});
  }

  Graph& graph_;
  GraphBuilder build_;
  int64_t opset_;
  std::string mask_;  // [batch, sequence, 1]
  std::string count_;
};

}  // namespace

void add_pooling(Graph& graph, const ModelConfig& config, int64_t hidden_size) {
  constexpr const char* kOutput = "sentence_embedding";
  PoolingBuilder builder(graph);
  std::vector<std::string> parts;
  parts.reserve(config.pooling.size());
  for (const Pooling mode : config.pooling) parts.push_back(builder.add(mode));
  std::string pooled = builder.joined(parts);
  int64_t width = hidden_size * static_cast<int64_t>(config.pooling.size());
  for (size_t i = 0; i < config.head.size(); ++i) {
    const HeadModule& module = config.head[i];
    if (module.kind != HeadModule::Kind::kDense) {
      throw_not_supported(module.folder.string() +
                          ": a LayerNorm module can't be put into the graph; convert without "
                          "--with-pooling");
    }
    if (module.in_features != width) {
      throw_bad_input((module.folder / "config.json").string() + ": in_features is " +
                      std::to_string(module.in_features) + ", and " + std::to_string(width) +
                      " values arrive there");
    }
    pooled = builder.dense("dense_" + std::to_string(i), pooled, module);
    width = module.out_features;
  }
  if (config.normalize) {
    builder.normalized(pooled, kOutput);
  } else {
    builder.alias(pooled, kOutput);
  }
  graph.outputs.push_back({kOutput, DataType::kFloat, {{std::string("batch"), width}}});
}

}  // namespace embedforge
