#include "convert/blocks.h"

#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "checkpoint/weights.h"
#include "embedforge/error.h"
#include "embedforge/version.h"

namespace embedforge {

std::string find_prefix(const TensorMap& checkpoint, const std::string& first,
                        const std::string& own) {
  for (const std::string& prefix : {std::string(), own, std::string("model."),
                                    std::string("0.auto_model."), std::string("auto_model.")}) {
    if (checkpoint.contains(prefix + first)) return prefix;
  }
  throw_bad_input("the checkpoint lacks the tensor \"" + first +
                  "\" (looked for it with the prefixes " + own +
                  ", model., auto_model. and none); do config.json and weights belong together?");
}

Graph encoder_graph(const std::string& name, int opset, bool token_types) {
  Graph graph;
  graph.name = name;
  graph.producer = "embedforge";
  graph.producer_version = kVersion;
  graph.ir_version = opset >= 19 ? 9 : 8;
  graph.opsets[""] = opset;
  const std::vector<Dim> shape = {std::string("batch"), std::string("sequence")};
  graph.inputs.push_back({"input_ids", DataType::kInt64, shape});
  graph.inputs.push_back({"attention_mask", DataType::kInt64, shape});
  if (token_types) graph.inputs.push_back({"token_type_ids", DataType::kInt64, shape});
  return graph;
}

void add_hidden_output(Graph& graph, const std::string& name, int64_t width) {
  graph.outputs.push_back(
      {name, DataType::kFloat, {{std::string("batch"), std::string("sequence"), width}}});
}

Blocks::Blocks(const TensorMap& checkpoint, std::string prefix, Graph& graph,
               std::set<std::string>* used)
    : checkpoint_(checkpoint),
      prefix_(std::move(prefix)),
      graph_(graph),
      build_(graph),
      used_(used) {}

TensorMap::const_iterator Blocks::find(const std::string& name) const {
  const auto found = checkpoint_.find(prefix_ + name);
  if (found != checkpoint_.end()) return found;
  // Old checkpoints call LayerNorm's weight gamma and its bias beta.
  const size_t norm = name.rfind("LayerNorm.");
  if (norm == std::string::npos) return found;
  return checkpoint_.find(prefix_ + name.substr(0, norm) +
                          (name.ends_with("weight") ? "LayerNorm.gamma" : "LayerNorm.beta"));
}

Tensor Blocks::weight(const std::string& name, const std::vector<int64_t>& dims) const {
  const auto found = find(name);
  if (found == checkpoint_.end()) {
    throw_bad_input("the checkpoint lacks the tensor \"" + prefix_ + name +
                    "\", which config.json asks for");
  }
  const auto& [full_name, tensor] = *found;
  if (tensor.dims != dims) {
    throw_bad_input("tensor \"" + full_name + "\": config.json gives it shape " + dims_text(dims) +
                    ", the checkpoint has " + dims_text(tensor.dims));
  }
  if (used_ != nullptr) used_->insert(full_name);
  return to_float32(tensor, full_name);
}

std::string Blocks::linear(const std::string& name, const std::string& x, int64_t k, int64_t n,
                           Bias bias, float scale) {
  Tensor matrix = transposed(weight(name + ".weight", {n, k}));
  if (scale != 1) matrix = scaled(matrix, scale);
  std::string product = build_.add(name + ".matmul", "MatMul",
                                   {x, build_.constant(name + ".weight", std::move(matrix))});
  if (bias == Bias::kNone) return product;
  Tensor values = weight(name + ".bias", {n});
  if (scale != 1) values = scaled(values, scale);
  return build_.add(name + ".bias_add", "Add",
                    {product, build_.constant(name + ".bias", std::move(values))});
}

std::string Blocks::layer_norm(const std::string& name, const std::string& x, int64_t width,
                               float epsilon, Bias bias, const std::string& output) {
  const std::string gamma = build_.constant(name + ".weight", weight(name + ".weight", {width}));
  const Attributes attributes = {{"axis", int64_t{-1}}, {"epsilon", epsilon}};
  if (bias == Bias::kNone) {
    return build_.add(output, "LayerNormalization", {x, gamma}, attributes);
  }
  const std::string beta = build_.constant(name + ".bias", weight(name + ".bias", {width}));
  return build_.add(output, "LayerNormalization", {x, gamma, beta}, attributes);
}

std::string Blocks::rms_norm(const std::string& name, const std::string& x, int64_t width,
                             float epsilon, const std::string& output, float offset) {
  const std::string square = build_.add(output + ".square", "Mul", {x, x});
  const std::string mean =
      graph_.opsets.at("") < 18  // the axes became an input then
          ? build_.add(output + ".mean", "ReduceMean", {square},
                       {{"axes", std::vector<int64_t>{-1}}, {"keepdims", int64_t{1}}})
          : build_.add(output + ".mean", "ReduceMean", {square, build_.integers("axis.last", {-1})},
                       {{"keepdims", int64_t{1}}});
  const std::string safe =
      build_.add(output + ".safe", "Add", {mean, build_.scalar("rms.epsilon", epsilon)});
  const std::string root = build_.add(output + ".root", "Sqrt", {safe});
  const std::string unit = build_.add(output + ".unit", "Div", {x, root});
  Tensor gamma = weight(name + ".weight", {width});
  if (offset != 0) gamma = scaled(gamma, 1, offset);
  return build_.add(output, "Mul", {unit, build_.constant(name + ".weight", std::move(gamma))});
}

std::string Blocks::rows(const std::string& name, const std::string& indices, int64_t count,
                         int64_t width) {
  return build_.add(
      name, "Gather",
      {build_.constant(name + ".weight", weight(name + ".weight", {count, width})), indices});
}

std::string Blocks::places() {
  if (made_["places"]) return "places";
  made_["places"] = true;
  const std::string length =
      build_.add("places.shape", "Shape", {"input_ids"}, {{"start", int64_t{1}}});
  const std::string count =
      build_.add("places.count", "Squeeze", {length, build_.integers("axis.first", {0})});
  return build_.add("places", "Range",
                    {build_.constant("places.zero", Tensor::from_ints({}, {0})), count,
                     build_.constant("places.one", Tensor::from_ints({}, {1}))});
}

std::string Blocks::places_after_padding(int64_t pad_id) {
  const std::string pad = build_.constant("padding.id", Tensor::from_ints({}, {pad_id}));
  const std::string is_pad = build_.add("places.is_padding", "Equal", {"input_ids", pad});
  const std::string is_token = build_.add("places.is_token", "Not", {is_pad});
  const std::string ones = build_.add("places.tokens", "Cast", {is_token},
                                      {{"to", static_cast<int64_t>(DataType::kInt64)}});
  const std::string count =
      build_.add("places.number", "CumSum",
                 {ones, build_.constant("places.axis", Tensor::from_ints({}, {1}))});
  const std::string own = build_.add("places.own", "Mul", {count, ones});
  return build_.add("places.after_padding", "Add", {own, pad});
}

std::string Blocks::padding_mask() {
  if (made_["mask.additive"]) return "mask.additive";
  made_["mask.additive"] = true;
  const std::string wide = build_.add("mask.unsqueeze", "Unsqueeze",
                                      {"attention_mask", build_.integers("mask.axes", {1, 2})});
  const std::string real =
      build_.add("mask.cast", "Cast", {wide}, {{"to", static_cast<int64_t>(DataType::kFloat)}});
  const std::string padding = build_.add("mask.invert", "Sub", {build_.scalar("one", 1.0F), real});
  return build_.add("mask.additive", "Mul",
                    {padding, build_.scalar("mask.lowest", std::numeric_limits<float>::lowest())});
}

std::string Blocks::mask(bool causal, int64_t window) {
  if (!causal && window < 0) return padding_mask();
  std::string name = std::string("mask") + (causal ? ".causal" : "") +
                     (window >= 0 ? ".window_" + std::to_string(window) : "");
  if (made_[name]) return name;
  made_[name] = true;
  const std::string keys =
      build_.add(name + ".keys", "Unsqueeze", {places(), build_.integers("axis.first", {0})});
  const std::string queries =
      build_.add(name + ".queries", "Unsqueeze", {places(), build_.integers("axis.second", {1})});
  const std::string distance = build_.add(name + ".distance", "Sub", {keys, queries});
  const std::string padding = build_.add(name + ".padding", "Cast", {padding_mask()},
                                         {{"to", static_cast<int64_t>(DataType::kBool)}});
  std::string hidden = padding;  // where the additive mask isn't 0
  const auto beyond = [&](const std::string& what, const std::string& value, int64_t limit) {
    const std::string far = build_.add(
        name + what, "Greater",
        {value, build_.constant(name + what + ".limit", Tensor::from_ints({}, {limit}))});
    hidden = build_.add(name + what + ".hidden", "Or", {hidden, far});
  };
  if (causal) beyond(".later", distance, 0);
  if (window >= 0) beyond(".far", build_.add(name + ".absolute", "Abs", {distance}), window);
  return build_.add(name, "Where", {hidden, "mask.lowest", build_.scalar("zero", 0)});
}

std::string Blocks::heads(const std::string& x, int64_t count, int64_t size, bool swapped) {
  const std::string shape = build_.integers(
      "heads." + std::to_string(count) + "_" + std::to_string(size), {0, 0, count, size});
  const std::string split = build_.add(x + ".split", "Reshape", {x, shape});
  std::vector<int64_t> order = {0, 2, 1, 3};
  if (swapped) order = {0, 2, 3, 1};
  return build_.add(x + ".heads", "Transpose", {split}, {{"perm", std::move(order)}});
}

/// The name of [sequence, size] angles' cosines and sines, without ".cos" and ".sin".
std::string Blocks::angles(int64_t size, double theta) {
  std::string name = "rotary." + std::to_string(static_cast<int64_t>(theta));
  if (made_[name]) return name;
  made_[name] = true;
  std::vector<float> frequencies;
  for (int64_t i = 0; i < size; i += 2) {
    frequencies.push_back(
        static_cast<float>(std::pow(theta, -static_cast<double>(i) / static_cast<double>(size))));
  }
  const std::string wide =
      build_.add(name + ".places", "Unsqueeze", {places(), build_.integers("axis.second", {1})});
  const std::string real =
      build_.add(name + ".real", "Cast", {wide}, {{"to", static_cast<int64_t>(DataType::kFloat)}});
  const std::string half = build_.add(
      name + ".half", "Mul",
      {real, build_.constant(name + ".frequencies",
                             Tensor::from_floats({1, size / 2}, std::move(frequencies)))});
  const std::string all =
      build_.add(name + ".angles", "Concat", {half, half}, {{"axis", int64_t{-1}}});
  build_.add(name + ".cos", "Cos", {all});
  build_.add(name + ".sin", "Sin", {all});
  return name;
}

std::string Blocks::rotated(const std::string& x, int64_t size, double theta) {
  const std::string table = angles(size, theta);
  const std::string half = build_.integers("rotary.middle", {size / 2});
  const std::string end = build_.integers("rotary.end", {size});
  const std::string start = build_.integers("axis.first", {0});
  const std::string axis = build_.integers("axis.fourth", {3});
  const std::string first = build_.add(x + ".lower", "Slice", {x, start, half, axis});
  const std::string second = build_.add(x + ".upper", "Slice", {x, half, end, axis});
  const std::string negative = build_.add(x + ".negative", "Neg", {second});
  const std::string turned =
      build_.add(x + ".turned", "Concat", {negative, first}, {{"axis", int64_t{-1}}});
  return build_.add(x + ".rotated", "Add",
                    {build_.add(x + ".straight", "Mul", {x, table + ".cos"}),
                     build_.add(x + ".across", "Mul", {turned, table + ".sin"})});
}

std::string Blocks::attention(const std::string& name, const std::string& q, const std::string& k,
                              const std::string& v, float scale, const std::string& mask,
                              int64_t width) {
  std::string scores = build_.add(name + ".scores", "MatMul", {q, k});
  if (scale != 1) {
    scores = build_.add(name + ".scaled_scores", "Mul",
                        {scores, build_.scalar("attention.scale", scale)});
  }
  const std::string masked = build_.add(name + ".masked_scores", "Add", {scores, mask});
  const std::string weights =
      build_.add(name + ".weights", "Softmax", {masked}, {{"axis", int64_t{-1}}});
  const std::string context = build_.add(name + ".context", "MatMul", {weights, v});
  const std::string ordered = build_.add(name + ".ordered", "Transpose", {context},
                                         {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
  return build_.add(name + ".merged", "Reshape",
                    {ordered, build_.integers("attention.merge", {0, 0, width})});
}

std::string Blocks::activation(const std::string& name, const std::string& kind,
                               const std::string& x) {
  if (kind == "relu") return build_.add(name, "Relu", {x});
  if (kind == "tanh") return build_.add(name, "Tanh", {x});
  if (kind == "silu" || kind == "swish") {
    return build_.add(name, "Mul", {x, build_.add(name + ".sigmoid", "Sigmoid", {x})});
  }
  const std::string half = build_.scalar("half", 0.5F);
  const std::string one = build_.scalar("one", 1.0F);
  if (kind == "gelu") {  // x * (1 + erf(x / sqrt 2)) / 2
    const std::string root = build_.scalar("gelu.sqrt_2", std::sqrt(2.0F));
    const std::string ratio = build_.add(name + ".ratio", "Div", {x, root});
    const std::string erf = build_.add(name + ".erf", "Erf", {ratio});
    const std::string shifted = build_.add(name + ".shift", "Add", {erf, one});
    const std::string product = build_.add(name + ".product", "Mul", {x, shifted});
    return build_.add(name, "Mul", {product, half});
  }
  if (kind != "gelu_new" && kind != "gelu_pytorch_tanh") {
    throw_not_supported("config.json: activation \"" + kind +
                        "\" is not supported (supported: gelu, gelu_new, gelu_pytorch_tanh, relu, "
                        "silu)");
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

}  // namespace embedforge
