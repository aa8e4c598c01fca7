#include "graph/shape_rules.h"

#include <algorithm>
#include <map>
#include <set>

#include "embedforge/error.h"
#include "graph/evaluate.h"
#include "graph/evaluate_call.h"
#include "graph/order_nodes.h"
#include "graph/tensor.h"

namespace embedforge {
namespace {

using Dims = std::vector<int64_t>;

constexpr int64_t kSmall = 1 << 16;  // elements of content that are followed

struct Rule {
  const Node& node;
  const Shadows& in;
  int64_t opset;

  bool has(size_t i) const { return i < in.size() && in[i].has_value(); }
  const Shadow& at(size_t i) const { return *in[i]; }
};
using Apply = Shadows (*)(const Rule&);

Shadow shadow(DataType type, Dims dims) { return {type, std::move(dims), std::nullopt}; }

Shadows same(const Rule& rule) {
  if (!rule.has(0)) return {};
  return {shadow(rule.at(0).type, rule.at(0).dims)};
}

Shadows same_as_bool(const Rule& rule) {
  if (!rule.has(0)) return {};
  return {shadow(DataType::kBool, rule.at(0).dims)};
}

Shadows cast(const Rule& rule) {
  const auto to = static_cast<int32_t>(rule.node.int_attribute("to", 0));
  if (!rule.has(0) || !is_known_type(to)) return {};
  return {shadow(static_cast<DataType>(to), rule.at(0).dims)};
}

Dims broadcast(const Rule& rule, const std::vector<Dims>& all) {
  const evaluation::Call call(rule.node, {}, rule.opset);
  return evaluation::broadcast_dims(call, all);
}

Shadows binary(const Rule& rule) {
  std::vector<Dims> all;
  for (size_t i = 0; i < rule.in.size(); ++i) {
    if (!rule.has(i)) return {};
    all.push_back(rule.at(i).dims);
  }
  if (all.empty()) return {};
  static const std::set<std::string> kTests = {"And",  "Equal",       "Greater", "GreaterOrEqual",
                                               "Less", "LessOrEqual", "Or",      "Xor"};
  const bool test = kTests.contains(rule.node.op_type);
  const size_t typed = rule.node.op_type == "Where" ? 1 : 0;
  return {shadow(test ? DataType::kBool : rule.at(typed).type, broadcast(rule, all))};
}

/// [.., m, k] times [.., k, n]
Shadows product(const Rule& rule, DataType type) {
  if (!rule.has(0) || !rule.has(1)) return {};
  Dims a = rule.at(0).dims;
  Dims b = rule.at(1).dims;
  if (a.size() < 2 || b.size() < 2) return {};
  if (rule.node.int_attribute("transA", 0) != 0) std::swap(a.end()[-1], a.end()[-2]);
  if (rule.node.int_attribute("transB", 0) != 0) std::swap(b.end()[-1], b.end()[-2]);
  if (a.back() != b.end()[-2]) {
    throw_bad_input(describe(rule.node) + " multiplies matrices that don't fit each other");
  }
  const int64_t m = a.end()[-2];
  const int64_t n = b.back();
  a.resize(a.size() - 2);
  b.resize(b.size() - 2);
  Dims dims = broadcast(rule, {a, b});
  dims.push_back(m);
  dims.push_back(n);
  return {shadow(type, std::move(dims))};
}

Shadows matmul(const Rule& rule) {
  if (!rule.has(0)) return {};
  return product(rule, rule.at(0).type);
}
Shadows matmul_integer(const Rule& rule) { return product(rule, DataType::kInt32); }
Shadows matmul_to_float(const Rule& rule) { return product(rule, DataType::kFloat); }

Shadows gather(const Rule& rule) {
  if (!rule.has(0) || !rule.has(1)) return {};
  const Dims& data = rule.at(0).dims;
  const Dims& indices = rule.at(1).dims;
  const evaluation::Call call(rule.node, {}, rule.opset);
  const int64_t axis = call.axis(rule.node.int_attribute("axis", 0), data.size());
  Dims dims(data.begin(), data.begin() + axis);
  dims.insert(dims.end(), indices.begin(), indices.end());
  dims.insert(dims.end(), data.begin() + axis + 1, data.end());
  return {shadow(rule.at(0).type, std::move(dims))};
}

Shadows gather_elements(const Rule& rule) {
  if (!rule.has(0) || !rule.has(1)) return {};
  return {shadow(rule.at(0).type, rule.at(1).dims)};
}

Shadows shape(const Rule& rule) {
  if (!rule.has(0)) return {};
  // Of a stand-in without elements, whose sizes are what counts.
  Tensor stand_in;
  stand_in.type = DataType::kUint8;
  stand_in.dims = rule.at(0).dims;
  const std::vector<const Tensor*> inputs = {&stand_in};
  Tensor out = evaluate(rule.node, inputs, rule.opset)[0];
  return {Shadow{out.type, out.dims, out}};
}

/// Operators that move or reduce elements: evaluated with zeros for the inputs whose content isn't
/// known.
Shadows moved(const Rule& rule) {
  static const std::set<std::string> kAllData = {"Concat"};  // every input is data
  std::vector<Tensor> tensors(rule.node.inputs.size());
  std::vector<const Tensor*> inputs(rule.node.inputs.size(), nullptr);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (rule.node.inputs[i].empty()) continue;
    if (!rule.has(i)) return {};
    const Shadow& in = rule.at(i);
    const bool data = i == 0 || kAllData.contains(rule.node.op_type);
    if (in.content && !data) {
      tensors[i] = *in.content;
    } else if (data) {
      const auto count = checked_element_count(in.dims);
      if (!count || *count > (int64_t{1} << 24)) return {};
      tensors[i] = Tensor::from(DataType::kUint8, in.dims,
                                std::vector<uint8_t>(static_cast<size_t>(*count), 0));
    } else {
      return {};
    }
    inputs[i] = &tensors[i];
  }
  Shadows out;
  for (const Tensor& tensor : evaluate(rule.node, inputs, rule.opset)) {
    out.emplace_back(shadow(rule.at(0).type, tensor.dims));
  }
  return out;
}

Shadows expand(const Rule& rule) {
  if (!rule.has(0) || !rule.has(1) || !rule.at(1).content) return {};
  return {
      shadow(rule.at(0).type, broadcast(rule, {rule.at(0).dims, to_ints(*rule.at(1).content)}))};
}

Shadows quantize(const Rule& rule) {
  if (!rule.has(0)) return {};
  return {shadow(rule.has(2) ? rule.at(2).type : DataType::kUint8, rule.at(0).dims)};
}

Shadows dequantize(const Rule& rule) {
  if (!rule.has(0) || !rule.has(1)) return {};
  return {shadow(rule.at(1).type, rule.at(0).dims)};
}

Shadows dynamic_quantize(const Rule& rule) {
  if (!rule.has(0)) return {};
  return {shadow(DataType::kUint8, rule.at(0).dims), shadow(DataType::kFloat, {}),
          shadow(DataType::kUint8, {})};
}

/// What an operator makes of tables or weights of this type: integers are quantized floats.
DataType computed_in(DataType type) { return is_float_type(type) ? type : DataType::kFloat; }

/// ids [batch, sequence] and a table [rows, width]
Shadows embed(const Rule& rule) {
  if (!rule.has(0) || !rule.has(2) || rule.at(2).dims.size() != 2) return {};
  Dims dims = rule.at(0).dims;
  if (dims.size() != 2) return {};
  const Dims lengths = {dims[0]};
  dims.push_back(rule.at(2).dims[1]);
  const DataType type = computed_in(rule.at(2).type);
  return {shadow(type, dims), shadow(DataType::kInt32, lengths), shadow(type, dims)};
}

/// input [batch, sequence, k] and a weight [k, 3 width]
Shadows packed_attention(const Rule& rule) {
  if (!rule.has(0) || !rule.has(1) || rule.at(1).dims.size() != 2) return {};
  Dims dims = rule.at(0).dims;
  if (dims.size() != 3) return {};
  dims[2] = rule.at(1).dims[1] / 3;
  return {shadow(computed_in(rule.at(1).type), dims)};
}

Shadows skip_norm(const Rule& rule) {
  if (!rule.has(0)) return {};
  const Shadow sum = shadow(rule.at(0).type, rule.at(0).dims);
  return {sum, std::nullopt, std::nullopt, sum};
}

const std::map<std::string, Apply>& standard_rules() {
  static const std::map<std::string, Apply> kRules = [] {
    std::map<std::string, Apply> out = {{"Cast", cast},
                                        {"DequantizeLinear", dequantize},
                                        {"DynamicQuantizeLinear", dynamic_quantize},
                                        {"Expand", expand},
                                        {"Gather", gather},
                                        {"GatherElements", gather_elements},
                                        {"Gemm", matmul},
                                        {"IsInf", same_as_bool},
                                        {"IsNaN", same_as_bool},
                                        {"MatMul", matmul},
                                        {"MatMulInteger", matmul_integer},
                                        {"Not", same_as_bool},
                                        {"QuantizeLinear", quantize},
                                        {"Shape", shape},
                                        {"Size", shape}};
    for (const char* op : {"Abs",      "Attention",
                           "Ceil",     "Clip",
                           "Cos",      "Dropout",
                           "Erf",      "Exp",
                           "Floor",    "Gelu",
                           "Identity", "LayerNormalization",
                           "Log",      "LpNormalization",
                           "Neg",      "Reciprocal",
                           "Relu",     "RMSNormalization",
                           "Round",    "Sigmoid",
                           "Sign",     "SimplifiedLayerNormalization",
                           "Sin",      "Softmax",
                           "Sqrt",     "Tanh",
                           "Trilu",    "CumSum"}) {
      out.emplace(op, same);
    }
    for (const char* op :
         {"Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max",
          "Min", "Mod", "Mul", "Or", "Pow", "Sub", "Where", "Xor"}) {
      out.emplace(op, binary);
    }
    for (const char* op : {"Concat", "Flatten", "GatherND", "ReduceL2", "ReduceMax", "ReduceMean",
                           "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Reshape",
                           "Slice", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"}) {
      out.emplace(op, moved);
    }
    return out;
  }();
  return kRules;
}

const std::map<std::string, Apply>& microsoft_rules() {
  static const std::map<std::string, Apply> kRules = {
      {"Attention", packed_attention},
      {"BiasGelu", same},
      {"DequantizeLinear", dequantize},
      {"DynamicQuantizeMatMul", matmul_to_float},
      {"EmbedLayerNormalization", embed},
      {"FastGelu", same},
      {"FusedMatMul", matmul},
      {"Gelu", same},
      {"MatMulIntegerToFloat", matmul_to_float},
      {"MultiHeadAttention", same},
      {"QAttention", packed_attention},
      {"QEmbedLayerNormalization", embed},
      {"QuantizeLinear", quantize},
      {"QuickGelu", same},
      {"RotaryEmbedding", same},
      {"SkipLayerNormalization", skip_norm},
      {"SkipSimplifiedLayerNormalization", skip_norm}};
  return kRules;
}

/// Everything is known and small: the values themselves.
std::optional<Shadows> computed(const Rule& rule) {
  std::vector<const Tensor*> inputs;
  for (size_t i = 0; i < rule.node.inputs.size(); ++i) {
    const bool left_out = rule.node.inputs[i].empty();
    if (!left_out && (!rule.has(i) || !rule.at(i).content)) return std::nullopt;
    if (!left_out && rule.at(i).content->element_count() > kSmall) return std::nullopt;
    inputs.push_back(left_out ? nullptr : &*rule.at(i).content);
  }
  if (!can_evaluate(rule.node)) return std::nullopt;
  Shadows out;
  for (const Tensor& tensor : evaluate(rule.node, inputs, rule.opset)) {
    out.emplace_back(Shadow{tensor.type, tensor.dims, tensor});
  }
  return out;
}

}  // namespace

Shadows infer_node(const Node& node, const Shadows& inputs, int64_t opset) {
  const Rule rule{node, inputs, opset};
  if (auto out = computed(rule)) return *out;
  if (!node.domain.empty() && node.domain != "com.microsoft") return {};
  const auto& rules = node.domain.empty() ? standard_rules() : microsoft_rules();
  const auto found = rules.find(node.op_type);
  return found == rules.end() ? Shadows{} : found->second(rule);
}

}  // namespace embedforge
