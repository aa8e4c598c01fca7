#include "recognize/operators.h"

#include <map>
#include <string_view>
#include <utility>

namespace embedforge::recognize {
namespace {

constexpr const char* kMicrosoft = "com.microsoft";

constexpr bool kTokens = false;  // it has a say where tokens' values come in
constexpr bool kConstants = true;
constexpr bool kRounds = true;

/// https://onnx.ai/onnx/operators and
/// https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
const std::vector<Operator>& operators() {
  static const std::vector<Operator> kOperators = {
      {"", {"Attention"}, op::attention},
      {"", {"Add", "Div", "Max", "Min", "Mul", "Pow", "Sub"}, op::binary},
      {"", {"Cast"}, op::cast, kConstants, kRounds},
      {"", {"Clip"}, op::clip},
      {"", {"Concat"}, op::concat},
      {"", {"DequantizeLinear"}, op::dequantize, kConstants, kRounds},
      {"", {"DynamicQuantizeLinear"}, op::dynamic_quantize, kTokens, kRounds},
      {"", {"Expand"}, op::expand},
      {"", {"Gather"}, op::gather, kConstants},
      {"", {"GatherND"}, op::gather_nd},
      {"", {"Gelu"}, op::gelu},
      {"", {"Gemm"}, op::gemm},
      {"", {"Dropout", "Identity"}, op::identity},
      {"", {"IsNaN"}, op::is_nan},
      {"",
       {"LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"},
       op::layer_normalization},
      {"", {"LpNormalization"}, op::lp_normalization},
      {"", {"MatMul"}, op::matmul},
      {"", {"MatMulInteger"}, op::matmul_integer},
      {"", {"QuantizeLinear"}, op::quantize, kConstants, kRounds},
      {"",
       {"ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "ReduceSumSquare"},
       op::reduce},
      {"", {"Flatten", "Reshape", "Squeeze", "Unsqueeze"}, op::reshape},
      {"", {"RotaryEmbedding"}, op::rotary_embedding},
      {"", {"Shape"}, op::shape},
      {"", {"Slice"}, op::slice, kConstants},
      {"", {"Softmax"}, op::softmax},
      {"", {"Split"}, op::split},
      {"", {"Transpose"}, op::transpose, kConstants},
      {"",
       {"Abs", "Erf", "Exp", "Neg", "Reciprocal", "Relu", "Sigmoid", "Sqrt", "Tanh"},
       op::unary},
      {"", {"Where"}, op::where},
      {kMicrosoft, {"BiasGelu", "FastGelu", "Gelu"}, op::bias_gelu},
      {kMicrosoft, {"DequantizeLinear"}, op::dequantize, kConstants, kRounds},
      {kMicrosoft, {"DynamicQuantizeMatMul"}, op::dynamic_quantize_matmul, kTokens, kRounds},
      {kMicrosoft, {"EmbedLayerNormalization"}, op::embed_layer_norm, kConstants},
      {kMicrosoft, {"FusedMatMul"}, op::fused_matmul},
      {kMicrosoft, {"SimplifiedLayerNormalization"}, op::layer_normalization},
      {kMicrosoft, {"MatMulIntegerToFloat"}, op::matmul_integer_to_float},
      {kMicrosoft, {"MultiHeadAttention"}, op::multi_head_attention},
      {kMicrosoft, {"Attention"}, op::packed_attention},
      {kMicrosoft, {"QuantizeLinear"}, op::quantize, kConstants, kRounds},
      {kMicrosoft, {"QAttention"}, op::quantized_attention, kTokens, kRounds},
      {kMicrosoft, {"QEmbedLayerNormalization"}, op::quantized_embed_layer_norm, kConstants},
      {kMicrosoft, {"RotaryEmbedding"}, op::rotary_embedding},
      {kMicrosoft,
       {"SkipLayerNormalization", "SkipSimplifiedLayerNormalization"},
       op::skip_layer_norm},
  };
  return kOperators;
}

}  // namespace

const Operator* find_operator(const Node& node) {
  using Names = std::pair<std::string_view, std::string_view>;
  static const std::map<Names, const Operator*> kByName = [] {
    std::map<Names, const Operator*> out;
    for (const Operator& each : operators()) {
      for (const char* op_type : each.op_types) out[{each.domain, op_type}] = &each;
    }
    return out;
  }();
  const auto found = kByName.find({node.domain, node.op_type});
  return found == kByName.end() ? nullptr : found->second;
}

}  // namespace embedforge::recognize
