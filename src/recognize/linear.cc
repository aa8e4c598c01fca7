// Products with constant weights, and constant vectors that are added.
#include <map>

#include "graph/tensor.h"
#include "recognize/call.h"

namespace embedforge::recognize {
namespace {

Weight make_weight(const Call& call, const Constant& constant) {
  const std::vector<int64_t> dims = constant.dims();
  if (dims.size() != 2) call.refuse("has a weight that is no matrix");
  Weight out;
  out.k = dims[0];
  out.n = dims[1];
  out.transposed = constant.transposed;
  out.name = constant.name;
  const DataType type = constant.tensor.type;
  if (constant.scales.empty()) {
    if (!is_float_type(type)) call.refuse("has a weight that is neither float nor quantized");
    out.format =
        FloatFormat{type == DataType::kDouble
                        ? Tensor::from_floats(constant.tensor.dims, to_floats(constant.tensor))
                        : constant.tensor};
    return out;
  }
  if (type != DataType::kInt8 && type != DataType::kUint8) {
    call.refuse(std::string("has a quantized weight of ") + data_type_name(type));
  }
  Int8Format format{.data = constant.tensor};
  const auto n = static_cast<size_t>(out.n);
  const size_t column_axis = constant.transposed ? 0 : 1;
  if (constant.scales.size() == 1) {
    format.scales.assign(n, constant.scales[0]);
    format.zero_points.assign(n, constant.zero_points[0]);
  } else if (constant.axis == column_axis && constant.scales.size() == n) {
    format.scales = constant.scales;
    format.zero_points = constant.zero_points;
  } else {
    call.refuse("has a weight that is quantized by its input channels");
  }
  out.format = std::move(format);
  return out;
}

/// What both values are views of, with a transposed last pair of axes where the operator says so.
Viewed transposed_last(const Viewed& value) {
  Viewed out = value;
  std::swap(out.view.axes[out.view.axes.size() - 1], out.view.axes[out.view.axes.size() - 2]);
  return out;
}

/// A norm whose columns are scaled for a product that isn't quantized row by row: a norm of its
/// own.
Viewed with_scaled_norm(const Call& call, const Viewed& value) {
  const auto* scaled = value.of->get<Scaled>();
  const auto* norm = scaled == nullptr ? nullptr : scaled->in->get<Norm>();
  if (norm == nullptr) return value;
  Norm out = *norm;
  for (size_t i = 0; i < scaled->factors.size(); ++i) {
    out.gamma[i] *= scaled->factors[i];
    if (!out.beta.empty()) out.beta[i] *= scaled->factors[i];
  }
  return like(call, value, out);
}

}  // namespace

Forms op::matmul(const Call& call) {
  const Viewed* a = call.viewed(0);
  const Viewed* b = call.viewed(1);
  if (a != nullptr && b != nullptr) {
    return {multiply_matrices(call, without_rounding(*a), without_rounding(*b), 1)};
  }
  if (a != nullptr) return {product(call, *a, call.need_constant(1), {})};
  if (b == nullptr) return {};
  if (const Known* left = call.known(0))
    return {pool_by_product(call, *left, without_rounding(*b))};
  call.refuse("multiplies a constant by tokens' values");
}

Forms op::gemm(const Call& call) {
  const Viewed& a = call.need_viewed(0);
  const Node& node = call.node();
  if (node.float_attribute("alpha", 1) != 1 || node.float_attribute("beta", 1) != 1 ||
      node.int_attribute("transA", 0) != 0) {
    call.refuse("has alpha, beta or transA");
  }
  Constant weight = call.need_constant(1);
  if (node.int_attribute("transB", 0) != 0) weight.transposed = !weight.transposed;
  std::vector<float> bias;
  if (call.has(2)) {
    const auto values = call.floats(2);
    if (!values) call.refuse("has a bias that is not constant");
    bias = *values;
    const auto n = static_cast<size_t>(weight.dims().back());
    if (bias.size() == 1 && n != 1) bias.assign(n, bias[0]);
  }
  return {product(call, a, weight, std::move(bias))};
}

Forms op::fused_matmul(const Call& call) {
  const Viewed& a = call.need_viewed(0);
  const Node& node = call.node();
  const double alpha = node.float_attribute("alpha", 1);
  if (node.int_attribute("transBatchA", 0) != 0 || node.int_attribute("transBatchB", 0) != 0) {
    call.refuse("transposes batches");
  }
  const bool transpose_a = node.int_attribute("transA", 0) != 0;
  const bool transpose_b = node.int_attribute("transB", 0) != 0;
  if (const Viewed* b = call.viewed(1)) {
    if (a.view.axes.size() < 2 || b->view.axes.size() < 2) call.refuse("multiplies vectors");
    return {multiply_matrices(call, without_rounding(transpose_a ? transposed_last(a) : a),
                              without_rounding(transpose_b ? transposed_last(*b) : *b), alpha)};
  }
  if (alpha != 1 || transpose_a) call.refuse("has alpha or transA");
  Constant weight = call.need_constant(1);
  if (transpose_b) weight.transposed = !weight.transposed;
  return {product(call, a, weight, {})};
}

Viewed product(const Call& call, const Viewed& given, const Constant& weight,
               std::vector<float> bias) {
  Linear out;
  out.weight = make_weight(call, weight);
  Int8Format* int8 = out.weight.int8();
  const auto* rounded = given.of->get<Rounded>();
  if (rounded != nullptr && int8 != nullptr) int8->activation = rounded->quant;
  Viewed in = without_rounding(given);
  const auto* scaled = in.of->get<Scaled>();
  // Scaled float columns are what quantize/ leaves where no constant range will do.
  if (scaled != nullptr && int8 != nullptr) {
    if (!int8->activation) int8->activation = ActivationQuant{};
    int8->activation->channel_scale = scaled->factors;
    in.of = scaled->in;
  } else {
    in = with_scaled_norm(call, in);
  }
  if (!is_row_major(in.view, in.of->width)) call.refuse("multiplies a part of each row");
  if (in.of->width != out.weight.k) call.refuse("has a weight that doesn't fit its input");
  if (!bias.empty() && static_cast<int64_t>(bias.size()) != out.weight.n) {
    call.refuse("has a bias that doesn't fit its weight");
  }
  out.in = in.of;
  out.bias = std::move(bias);
  View view = in.view;
  view.axes.back() = column_axis(out.weight.n);
  const int64_t n = out.weight.n;
  return Viewed{make(call, std::move(out), n), std::move(view)};
}

Viewed add_vector(const Call& call, const Viewed& in, const std::vector<float>& bias) {
  const auto plus = [&](std::vector<float> to) {
    if (to.empty()) return bias;
    for (size_t i = 0; i < to.size(); ++i) to[i] += bias[i];
    return to;
  };
  if (const auto* product = in.of->get<Linear>()) {
    Linear out = *product;
    out.bias = plus(out.bias);
    return like(call, in, out);
  }
  if (const auto* norm = in.of->get<Norm>();
      norm != nullptr && norm->kind == NormKind::kLayerNorm) {
    Norm out = *norm;
    out.beta = plus(out.beta);
    return like(call, in, out);
  }
  if (const auto* embedding = in.of->get<Embedding>()) {
    Embedding out = *embedding;
    EmbeddingTable table;
    table.source = EmbeddingTable::Source::kTokenType;
    table.rows = Tensor::from_floats({1, in.of->width}, bias);
    out.tables.push_back(std::move(table));
    return like(call, in, out);
  }
  if (const auto* sum = in.of->get<Sum>()) {
    const bool second = sum->b->get<Linear>() != nullptr;
    if (second || sum->a->get<Linear>() != nullptr) {
      const Viewed biased = add_vector(call, {second ? sum->b : sum->a, in.view}, bias);
      return residual(call, {second ? sum->a : sum->b, in.view}, biased);
    }
  }
  call.refuse("adds a vector to something that is no product, norm or embedding");
}

}  // namespace embedforge::recognize
