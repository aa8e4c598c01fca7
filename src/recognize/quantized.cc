// Quantized products: what ONNX Runtime's dynamic and static (QDQ) quantization write.
#include <algorithm>
#include <cmath>
#include <map>

#include "graph/tensor.h"
#include "recognize/call.h"

namespace embedforge::recognize {
namespace {

/// Input `zero` is the zero point that came with what `quantized` quantizes.
void check_zero(const Call& call, const Quantized& quantized, size_t zero) {
  const auto* expected = call.has(zero) ? call.need_viewed(zero).of->get<QuantZero>() : nullptr;
  if (expected == nullptr || expected->in != quantized.in) {
    call.refuse("has a zero point that is not its input's");
  }
}

/// A weight that the file keeps as float and quantizes when it runs. Other constants stay as they
/// are.
Forms quantize_constant(const Call& call, const Constant& constant) {
  if (constant.tensor.dims.size() != 2) return {constant};
  const Tensor values = plain(constant);
  const auto scale = call.scalar(1);
  const auto zero = call.has(2) ? call.scalar(2) : 0.0;
  if (!scale || !zero || !(*scale > 0)) call.refuse("quantizes a weight by channel when it runs");
  const bool is_signed = call.has(2) && call.need_constant(2).tensor.type == DataType::kInt8;
  std::vector<uint8_t> out;
  for (const double value : to_doubles(values)) {
    const double q = std::nearbyint(value / *scale) + *zero;
    const double kept = is_signed ? std::clamp(q, -128.0, 127.0) : std::clamp(q, 0.0, 255.0);
    out.push_back(static_cast<uint8_t>(static_cast<int>(kept)));
  }
  Constant made;
  made.tensor =
      Tensor::from(is_signed ? DataType::kInt8 : DataType::kUint8, values.dims, std::move(out));
  made.name = constant.name;
  return {made};
}

}  // namespace

Forms op::dynamic_quantize(const Call& call) {
  const Viewed in = call.tokens(0);
  return {like(call, in, Quantized{in.of}), Viewed{make(call, QuantScale{in.of, {1.0F}}, 1), {}},
          Viewed{make(call, QuantZero{in.of}, 1), {}}};
}

Forms op::matmul_integer(const Call& call) {
  const Viewed& in = call.need_viewed(0);
  const auto* quantized = in.of->get<Quantized>();
  if (quantized == nullptr) call.refuse("multiplies integers that no DynamicQuantizeLinear made");
  if (!quantized->by_row) {
    check_zero(call, *quantized, 2);
  } else if (call.has(2) && call.scalar(2) != 0.0) {
    call.refuse("has a zero point where its input has none");
  }
  const Constant weight = quantized_constant(call, 1, kNone, 3, 1);
  const Viewed made = product(call, {quantized->in, in.view}, weight, {});
  const Viewed& value = made;
  const auto* with_scales = value.of->get<Linear>();
  IntegerProduct out{quantized->by_row ? quantized->in : with_scales->in, with_scales->weight,
                     quantized->by_row};
  return {like(call, value, out)};
}

Forms op::dequantize(const Call& call) {
  const int64_t axis = call.node().int_attribute("axis", 1);
  if (const Constant* constant = call.constant(0)) {
    if (is_float_type(constant->tensor.type)) return {*constant};
    return {quantized_constant(call, 0, 1, 2, axis)};
  }
  if (const Known* known = call.known(0)) {
    if (is_float_type(known->at[0].type)) return {*known};
    return {};
  }
  const Viewed& in = call.need_viewed(0);
  if (in.of->get<Rounded>() != nullptr || in.of->get<Embedding>() == nullptr) return {in};
  const auto scale = call.scalar(1);
  const auto zero = call.has(2) ? call.scalar(2) : 0.0;
  Embedding out = *in.of->get<Embedding>();
  if (!scale || !zero || out.tables.size() != 1)
    call.refuse("dequantizes by something not constant");
  if (is_float_type(out.tables[0].rows.type)) return {in};
  out.tables[0].scales = {static_cast<float>(*scale)};
  out.tables[0].zero_points = {static_cast<int32_t>(*zero)};
  return {like(call, in, std::move(out))};
}

Forms op::quantize(const Call& call) {
  if (const Constant* constant = call.constant(0)) return quantize_constant(call, *constant);
  if (const Known* known = call.known(0)) {
    if (is_float_type(known->at[0].type)) return {*known};
    return {};
  }
  const Viewed* given = call.viewed(0);
  if (given == nullptr) return {};
  if (auto rows = quantize_unit_rows(call, *given)) return {*rows};
  const Viewed in = without_rounding(*given);
  const auto scale = call.scalar(1);
  if (!scale || !(*scale > 0)) call.refuse("has no constant positive scale");
  DataType type = DataType::kUint8;
  double zero = 0;
  if (call.has(2)) {
    const auto value = call.scalar(2);
    if (!value) call.refuse("has no constant zero point");
    zero = *value;
    type = call.constant(2) != nullptr ? call.constant(2)->tensor.type : call.known(2)->at[0].type;
  }
  if (type != DataType::kUint8 && type != DataType::kInt8)
    return {in};  // 16 bits: as good as float
  ActivationQuant quant;
  quant.dynamic = false;
  quant.scale = static_cast<float>(*scale);
  quant.zero_point = static_cast<int32_t>(zero) + (type == DataType::kInt8 ? 128 : 0);
  return {like(call, in, Rounded{in.of, quant})};
}

/// DynamicQuantizeMatMul(A, B, b_scale, b_zero_point, bias)
Forms op::dynamic_quantize_matmul(const Call& call) {
  const Viewed in = call.tokens(0);
  return {add_bias(call, integer_product(call, in, quantized_constant(call, 1, 2, 3, 1)), 4)};
}

/// MatMulIntegerToFloat(A, B, a_scale, b_scale, a_zero_point, b_zero_point, bias)
Forms op::matmul_integer_to_float(const Call& call) {
  const Viewed& in = call.need_viewed(0);
  const auto* quantized = in.of->get<Quantized>();
  const auto* scale = call.need_viewed(2).of->get<QuantScale>();
  if (quantized == nullptr || scale == nullptr || scale->in != quantized->in) {
    call.refuse("multiplies integers that no DynamicQuantizeLinear made");
  }
  check_zero(call, *quantized, 4);
  if (scale->factors != std::vector<float>{1.0F}) call.refuse("has a scaled input scale");
  const Constant weight = quantized_constant(call, 1, 3, 5, 1);
  return {add_bias(call, integer_product(call, {quantized->in, in.view}, weight), 6)};
}

Viewed integer_product(const Call& call, const Viewed& in, const Constant& weight) {
  const Viewed made = product(call, in, weight, {});
  Linear out = *made.of->get<Linear>();
  Int8Format& format = *out.weight.int8();
  if (!format.activation) format.activation = ActivationQuant{};
  return like(call, made, out);
}

Constant quantized_constant(const Call& call, size_t integers, size_t scale, size_t zero_point,
                            int64_t axis) {
  Constant out = call.need_constant(integers);
  if (!out.scales.empty()) call.refuse("dequantizes twice");
  out.scales = {1.0F};
  if (scale != kNone) {
    const auto values = call.floats(scale);
    if (!values || values->empty()) call.refuse("has no constant scale");
    out.scales = *values;
  }
  std::vector<int64_t> zeros(out.scales.size(), 0);
  if (zero_point != kNone && call.has(zero_point)) {
    const auto values = call.ints(zero_point);
    if (!values || values->empty()) call.refuse("has no constant zero point");
    zeros = *values;
  }
  // Either may be one for all while the other is one for each.
  if (out.scales.size() == 1) out.scales.assign(zeros.size(), out.scales[0]);
  if (zeros.size() == 1) zeros.assign(out.scales.size(), zeros[0]);
  if (zeros.size() != out.scales.size()) call.refuse("has zero points that don't fit its scales");
  out.zero_points.assign(zeros.begin(), zeros.end());
  const size_t rank = out.tensor.dims.size();
  if (out.scales.size() > 1) {
    const size_t at = call.axis(axis, rank);
    out.axis = out.transposed ? rank - 1 - at : at;
    if (out.tensor.dims[out.axis] != static_cast<int64_t>(out.scales.size())) {
      call.refuse("has as many scales as its input doesn't have channels");
    }
  }
  return out;
}

}  // namespace embedforge::recognize
