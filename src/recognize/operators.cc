#include "recognize/operators.h"

#include <algorithm>

namespace embedforge::recognize {
namespace {

constexpr const char* kMicrosoft = "com.microsoft";

/// https://onnx.ai/onnx/operators and
/// https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
constexpr Operator kOperators[] = {
    {"", "Abs", op::unary},
    {"", "Add", op::binary},
    {"", "Attention", op::attention},
    {"", "Cast", op::cast, true},
    {"", "Clip", op::clip},
    {"", "Concat", op::concat},
    {"", "DequantizeLinear", op::dequantize, true},
    {"", "Div", op::binary},
    {"", "Dropout", op::identity},
    {"", "DynamicQuantizeLinear", op::dynamic_quantize, true},
    {"", "Erf", op::unary},
    {"", "Exp", op::unary},
    {"", "Expand", op::expand},
    {"", "Flatten", op::flatten},
    {"", "Gather", op::gather},
    {"", "GatherND", op::gather_nd},
    {"", "Gelu", op::gelu},
    {"", "Gemm", op::gemm},
    {"", "Identity", op::identity},
    {"", "IsNaN", op::is_nan},
    {"", "LayerNormalization", op::layer_normalization},
    {"", "LpNormalization", op::lp_normalization},
    {"", "MatMul", op::matmul},
    {"", "MatMulInteger", op::matmul_integer},
    {"", "Max", op::binary},
    {"", "Min", op::binary},
    {"", "Mul", op::binary},
    {"", "Neg", op::unary},
    {"", "Pow", op::binary},
    {"", "QuantizeLinear", op::quantize, true},
    {"", "RMSNormalization", op::layer_normalization},
    {"", "Reciprocal", op::unary},
    {"", "ReduceL2", op::reduce},
    {"", "ReduceMax", op::reduce},
    {"", "ReduceMean", op::reduce},
    {"", "ReduceMin", op::reduce},
    {"", "ReduceSum", op::reduce},
    {"", "ReduceSumSquare", op::reduce},
    {"", "Relu", op::unary},
    {"", "Reshape", op::reshape},
    {"", "RotaryEmbedding", op::rotary_embedding},
    {"", "Shape", op::shape},
    {"", "Sigmoid", op::unary},
    {"", "SimplifiedLayerNormalization", op::layer_normalization},
    {"", "Slice", op::slice},
    {"", "Softmax", op::softmax},
    {"", "Split", op::split},
    {"", "Sqrt", op::unary},
    {"", "Squeeze", op::squeeze},
    {"", "Sub", op::binary},
    {"", "Tanh", op::unary},
    {"", "Transpose", op::transpose},
    {"", "Unsqueeze", op::unsqueeze},
    {"", "Where", op::where},
    {kMicrosoft, "Attention", op::packed_attention},
    {kMicrosoft, "BiasGelu", op::bias_gelu},
    {kMicrosoft, "DequantizeLinear", op::dequantize, true},
    {kMicrosoft, "DynamicQuantizeMatMul", op::dynamic_quantize_matmul, true},
    {kMicrosoft, "EmbedLayerNormalization", op::embed_layer_norm},
    {kMicrosoft, "FastGelu", op::bias_gelu},
    {kMicrosoft, "FusedMatMul", op::fused_matmul},
    {kMicrosoft, "Gelu", op::bias_gelu},
    {kMicrosoft, "MatMulIntegerToFloat", op::matmul_integer_to_float},
    {kMicrosoft, "MultiHeadAttention", op::multi_head_attention},
    {kMicrosoft, "QAttention", op::quantized_attention, true},
    {kMicrosoft, "QEmbedLayerNormalization", op::quantized_embed_layer_norm},
    {kMicrosoft, "QuantizeLinear", op::quantize, true},
    {kMicrosoft, "RotaryEmbedding", op::rotary_embedding},
    {kMicrosoft, "SimplifiedLayerNormalization", op::layer_normalization},
    {kMicrosoft, "SkipLayerNormalization", op::skip_layer_norm},
    {kMicrosoft, "SkipSimplifiedLayerNormalization", op::skip_layer_norm},
};

}  // namespace

const Operator* find_operator(const Node& node) {
  const auto* found = std::ranges::find_if(kOperators, [&](const Operator& each) {
    return node.op_type == each.op_type && node.domain == each.domain;
  });
  return found == std::end(kOperators) ? nullptr : found;
}

}  // namespace embedforge::recognize
