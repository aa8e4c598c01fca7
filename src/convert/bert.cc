#include "convert/bert.h"

#include <cmath>
#include <limits>
#include <utility>

#include "convert/graph_builder.h"
#include "convert/weights.h"
#include "embedforge/error.h"
#include "embedforge/version.h"

namespace embedforge {
namespace {

bool is_power_of_two(float value) {
  int exponent = 0;
  return std::frexp(value, &exponent) == 0.5F;
}

class BertBuilder {
 public:
  BertBuilder(const BertConfig& config, const TensorMap& weights, Graph& graph)
      : config_(config), weights_(weights), build_(graph) {}

  /// Returns the name of the last hidden state.
  std::string build() {
    mask_ = additive_mask();
    std::string hidden = embeddings();
    for (int64_t i = 0; i < config_.layers; ++i) {
      const std::string layer = "encoder.layer." + std::to_string(i);
      hidden = feed_forward(layer, attention(layer, hidden), i + 1 == config_.layers);
    }
    return hidden;
  }

 private:
  const Tensor& weight(const std::string& name) const { return weights_.at(name); }
  std::string as_is(const std::string& name) { return build_.constant(name, weight(name)); }

  std::string linear(const std::string& name, const std::string& input, float scale = 1.0F) {
    Tensor matrix = transposed(weight(name + ".weight"));
    Tensor bias = weight(name + ".bias");
    if (scale != 1.0F) {
      matrix = scaled(matrix, scale);
      bias = scaled(bias, scale);
    }
    return build_.linear(name, input, build_.constant(name + ".weight", std::move(matrix)),
                         build_.constant(name + ".bias", std::move(bias)));
  }
  std::string normalized(const std::string& name, const std::string& input,
                         const std::string& output) {
    return build_.layer_norm(output, input, as_is(name + ".weight"), as_is(name + ".bias"),
                             config_.epsilon);
  }

  /// (1 - mask) * lowest: 0 for tokens, the lowest finite float for padding; [batch, 1, 1,
  /// sequence].
  std::string additive_mask() {
    const std::string axes = build_.integers("mask.axes", {1, 2});
    const std::string wide = build_.add("mask.unsqueeze", "Unsqueeze", {"attention_mask", axes});
    const std::string real =
        build_.add("mask.cast", "Cast", {wide}, {{"to", static_cast<int64_t>(DataType::kFloat)}});
    const std::string padding =
        build_.add("mask.invert", "Sub", {build_.scalar("one", 1.0F), real});
    return build_.add(
        "mask.additive", "Mul",
        {padding, build_.scalar("mask.lowest", std::numeric_limits<float>::lowest())});
  }

  /// word[id] + type[type id] + position[0..sequence), normalized.
  std::string embeddings() {
    const std::string words = build_.add("embeddings.words", "Gather",
                                         {as_is("embeddings.word_embeddings.weight"), "input_ids"});
    const std::string types =
        build_.add("embeddings.token_types", "Gather",
                   {as_is("embeddings.token_type_embeddings.weight"), "token_type_ids"});
    const std::string length =
        build_.add("embeddings.length", "Shape", {"input_ids"}, {{"start", int64_t{1}}});
    const std::string zero = build_.integers("embeddings.first", {0});
    const std::string positions =
        build_.add("embeddings.positions", "Slice",
                   {as_is("embeddings.position_embeddings.weight"), zero, length, zero});
    const std::string typed = build_.add("embeddings.add_types", "Add", {words, types});
    const std::string sum = build_.add("embeddings.add_positions", "Add", {typed, positions});
    return normalized("embeddings.LayerNorm", sum, "embeddings.LayerNorm.output");
  }

  /// [batch, sequence, hidden] -> [batch, heads, sequence, head size], or with the last two
  /// swapped.
  std::string heads(const std::string& name, const std::string& input, std::vector<int64_t> order) {
    const std::string shape =
        build_.integers("attention.heads", {0, 0, config_.heads, config_.head_size()});
    const std::string split = build_.add(name + ".split", "Reshape", {input, shape});
    return build_.add(name + ".heads", "Transpose", {split}, {{"perm", std::move(order)}});
  }

  /// LayerNorm(hidden + dense(softmax(q k^T / sqrt(head size) + mask) v))
  std::string attention(const std::string& layer, const std::string& hidden) {
    const std::string self = layer + ".attention.self";
    const float scale = 1.0F / std::sqrt(static_cast<float>(config_.head_size()));
    const bool fold = is_power_of_two(scale);
    const std::string q =
        heads(self + ".query", linear(self + ".query", hidden, fold ? scale : 1.0F), {0, 2, 1, 3});
    const std::string k = heads(self + ".key", linear(self + ".key", hidden), {0, 2, 3, 1});
    const std::string v = heads(self + ".value", linear(self + ".value", hidden), {0, 2, 1, 3});
    std::string scores = build_.add(self + ".scores", "MatMul", {q, k});
    if (!fold) {
      scores = build_.add(self + ".scaled_scores", "Mul",
                          {scores, build_.scalar("attention.scale", scale)});
    }
    const std::string masked = build_.add(self + ".masked_scores", "Add", {scores, mask_});
    const std::string weights =
        build_.add(self + ".weights", "Softmax", {masked}, {{"axis", int64_t{-1}}});
    const std::string context = build_.add(self + ".context", "MatMul", {weights, v});
    const std::string ordered = build_.add(self + ".ordered", "Transpose", {context},
                                           {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
    const std::string merged =
        build_.add(self + ".merged", "Reshape",
                   {ordered, build_.integers("attention.merge", {0, 0, config_.hidden_size})});
    const std::string output = layer + ".attention.output";
    const std::string projected = linear(output + ".dense", merged);
    const std::string residual = build_.add(output + ".residual", "Add", {projected, hidden});
    return normalized(output + ".LayerNorm", residual, output + ".LayerNorm.output");
  }

  /// LayerNorm(hidden + dense(activation(dense(hidden))))
  std::string feed_forward(const std::string& layer, const std::string& hidden, bool last) {
    const std::string inner = linear(layer + ".intermediate.dense", hidden);
    const std::string active = activation(layer + ".intermediate.activation", inner);
    const std::string output = linear(layer + ".output.dense", active);
    const std::string residual = build_.add(layer + ".output.residual", "Add", {output, hidden});
    return normalized(layer + ".output.LayerNorm", residual,
                      last ? "last_hidden_state" : layer + ".output.LayerNorm.output");
  }

  std::string activation(const std::string& name, const std::string& x) {
    if (config_.activation == "relu") return build_.add(name, "Relu", {x});
    const std::string half = build_.scalar("half", 0.5F);
    const std::string one = build_.scalar("one", 1.0F);
    if (config_.activation == "gelu") {  // x * (1 + erf(x / sqrt 2)) / 2
      const std::string root = build_.scalar("gelu.sqrt_2", std::sqrt(2.0F));
      const std::string ratio = build_.add(name + ".ratio", "Div", {x, root});
      const std::string erf = build_.add(name + ".erf", "Erf", {ratio});
      const std::string shifted = build_.add(name + ".shift", "Add", {erf, one});
      const std::string product = build_.add(name + ".product", "Mul", {x, shifted});
      return build_.add(name, "Mul", {product, half});
    }
    if (config_.activation != "gelu_new" && config_.activation != "gelu_pytorch_tanh") {
      throw_not_supported(
          "config.json: hidden_act \"" + config_.activation +
          "\" is not supported (supported: gelu, gelu_new, gelu_pytorch_tanh, relu)");
    }
    // x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2
    const std::string three = build_.scalar("gelu.three", 3.0F);
    const std::string cubic_factor = build_.scalar("gelu.cubic", 0.044715F);
    const std::string root = build_.scalar("gelu.sqrt_2_over_pi", 0.7978845608028654F);
    const std::string cube = build_.add(name + ".cube", "Pow", {x, three});
    const std::string cubic = build_.add(name + ".cubic", "Mul", {cube, cubic_factor});
    const std::string sum = build_.add(name + ".sum", "Add", {x, cubic});
    const std::string inner = build_.add(name + ".inner", "Mul", {sum, root});
    const std::string tanh = build_.add(name + ".tanh", "Tanh", {inner});
    const std::string shifted = build_.add(name + ".shift", "Add", {tanh, one});
    const std::string product = build_.add(name + ".product", "Mul", {x, shifted});
    return build_.add(name, "Mul", {product, half});
  }

  const BertConfig& config_;
  const TensorMap& weights_;
  GraphBuilder build_;
  std::string mask_;
};

}  // namespace

Graph build_bert(const BertConfig& config, const TensorMap& weights, int opset) {
  Graph graph;
  graph.name = "bert";
  graph.producer = "embedforge";
  graph.producer_version = kVersion;
  graph.ir_version = opset >= 19 ? 9 : 8;
  graph.opsets[""] = opset;
  const std::vector<Dim> shape = {std::string("batch"), std::string("sequence")};
  for (const char* name : {"input_ids", "attention_mask", "token_type_ids"}) {
    graph.inputs.push_back({name, DataType::kInt64, shape});
  }
  const std::string hidden = BertBuilder(config, weights, graph).build();
  graph.outputs.push_back({hidden, DataType::kFloat, {{shape[0], shape[1], config.hidden_size}}});
  return graph;
}

}  // namespace embedforge
