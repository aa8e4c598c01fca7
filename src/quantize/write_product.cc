#include "quantize/write_product.h"

#include "graph/tensor.h"

namespace embedforge::quantization {
namespace {

constexpr float kSmallestRange = 1e-12F;  // keeps a row of equal values from a division by 0
constexpr int64_t kAxesInput = 18;  // the opset since which ReduceMax takes its axes as an input

}  // namespace

NodeWriter::NodeWriter(Graph& graph) : graph_(graph) {
  const auto found = graph.opsets.find("");
  opset_ = found == graph.opsets.end() ? 0 : found->second;
}

std::string NodeWriter::add(const std::string& op, std::vector<std::string> inputs,
                            const std::string& out) {
  nodes_.push_back({out + "_node", op, "", std::move(inputs), {out}, {}});
  return out;
}

std::string NodeWriter::cast(const std::string& x, const std::string& out) {
  std::string made = add("Cast", {x}, out);
  nodes_.back().attributes["to"] = static_cast<int64_t>(DataType::kFloat);
  return made;
}

std::string NodeWriter::reduce_last(const std::string& op, const std::string& x,
                                    const std::string& out) {
  std::string made;
  if (opset_ < kAxesInput) {
    made = add(op, {x}, out);
    nodes_.back().attributes["axes"] = std::vector<int64_t>{-1};
  } else {
    made = add(op, {x, constant("embedforge_last_axis", Tensor::from_ints({1}, {-1}))}, out);
  }
  nodes_.back().attributes["keepdims"] = int64_t{1};
  return made;
}

std::string NodeWriter::constant(const std::string& name, Tensor tensor) {
  graph_.initializers.emplace(name, std::move(tensor));
  return name;
}

std::string NodeWriter::floats(const std::string& name, std::vector<int64_t> dims,
                               std::vector<float> values) {
  return constant(name, Tensor::from_floats(std::move(dims), std::move(values)));
}

std::string NodeWriter::halves(const std::string& name, std::vector<int64_t> dims,
                               std::vector<uint16_t> values) {
  return constant(name, Tensor::from(DataType::kFloat16, std::move(dims), std::move(values)));
}

void NodeWriter::finish() {
  graph_.nodes = std::move(nodes_);
  graph_.values.clear();
}

std::vector<uint16_t> to_halves(const Tensor& tensor) {
  std::vector<uint16_t> out;
  out.reserve(static_cast<size_t>(tensor.element_count()));
  for (const float v : to_floats(tensor)) out.push_back(float_to_half(v));
  return out;
}

void ProductWriter::write(const Node& node, const Product& product,
                          const QuantizedProduct& decided) {
  const std::string& w = product.weight;
  const Input& in = rounded(node.inputs[0], decided.input);
  const bool whole = decided.input.float_channels.empty();
  const std::string out = whole ? node.outputs[0] : w + "_integer_product";
  const bool by_row = !decided.input.range && !decided.input.unrounded;
  const std::string total = by_row ? row_product(in, product, decided.weight, out)
                                   : real_product(in, product, decided.weight, out);
  if (!whole) {
    const auto count = static_cast<int64_t>(decided.input.float_channels.size());
    const std::string rows = nodes_.cast(
        nodes_.halves(w + "_half_rows", {count, product.n}, decided.float_rows), w + "_float_rows");
    const std::string part = nodes_.add("MatMul", {in.picked, rows}, w + "_float_product");
    nodes_.add("Add", {total, part}, node.outputs[0]);
  }
  if (!decided.bias.empty() && !product.bias.empty()) {
    nodes_.replace(product.bias, Tensor::from_floats({product.n}, decided.bias));
  }
  nodes_.drop(w);
}

std::string ProductWriter::row_product(const Input& in, const Product& product,
                                       const RoundedMatrix& weight, const std::string& out) {
  const std::string& w = product.weight;
  std::vector<float> steps;
  std::vector<float> sums;
  for (int64_t c = 0; c < product.n; ++c) {
    int64_t sum = 0;
    for (int64_t r = 0; r < product.k; ++r) {
      sum += weight.q[static_cast<size_t>(r * product.n + c)];
    }
    const float scale = weight.scales[static_cast<size_t>(c)];
    steps.push_back(scale / 255.0F);
    sums.push_back(scale * static_cast<float>(sum));
  }
  const std::string sum =
      nodes_.add("MatMulInteger", integer_inputs(in, product, weight), w + "_sum");
  const std::string real = nodes_.cast(sum, w + "_real");
  const std::string scaled =
      nodes_.add("Mul", {real, nodes_.floats(w + "_scale", {product.n}, steps)}, w + "_scaled");
  const std::string ranged = nodes_.add("Mul", {scaled, in.range}, w + "_ranged");
  const std::string low =
      nodes_.add("Mul", {in.low, nodes_.floats(w + "_column_sums", {product.n}, sums)}, w + "_low");
  return nodes_.add("Add", {ranged, low}, out);
}

/// Weights of the reduced range are int8. Others are uint8 around 128: ONNX Runtime multiplies two
/// unsigned matrices exactly on every processor, but saturates u8 times s8 on AVX2 without VNNI.
std::vector<std::string> ProductWriter::integer_inputs(const Input& in, const Product& product,
                                                       const RoundedMatrix& weight) {
  const std::string name = product.weight + "_quantized";
  const std::vector<int64_t> dims = {product.k, product.n};
  if (weight.range == WeightRange::kReduced)
    return {in.rounded, nodes_.constant(name, Tensor::from(DataType::kInt8, dims, weight.q))};
  std::vector<uint8_t> shifted;
  shifted.reserve(weight.q.size());
  for (const int8_t q : weight.q) shifted.push_back(static_cast<uint8_t>(q + 128));
  return {in.rounded,
          nodes_.constant(name, Tensor::from(DataType::kUint8, dims, std::move(shifted))),
          byte("embedforge_zero", 0), byte("embedforge_middle", 128)};
}

std::string ProductWriter::byte(const std::string& name, uint8_t value) {
  return nodes_.constant(name, Tensor::from(DataType::kUint8, {}, std::vector<uint8_t>{value}));
}

std::string ProductWriter::real_product(const Input& in, const Product& product,
                                        const RoundedMatrix& weight, const std::string& out) {
  const std::string& w = product.weight;
  const std::string integers = nodes_.constant(
      w + "_quantized", Tensor::from(DataType::kInt8, {product.k, product.n}, weight.q));
  const std::string scale = nodes_.floats(w + "_scale", {product.n}, weight.scales);
  const std::string zero = nodes_.constant(
      w + "_zero", Tensor::from(DataType::kInt8, {product.n},
                                std::vector<int8_t>(static_cast<size_t>(product.n), 0)));
  const std::string real = nodes_.add("DequantizeLinear", {integers, scale, zero}, w + "_real");
  nodes_.last().attributes["axis"] = int64_t{1};
  return nodes_.add("MatMul", {in.rounded, real}, out);
}

const ProductWriter::Input& ProductWriter::rounded(const std::string& x, const InputRounding& how) {
  const auto key = std::pair(x, how.channel_scale);
  const auto found = inputs_.find(key);
  if (found != inputs_.end()) return found->second;
  const int copy = copies_[x]++;  // products of one input can differ in what they do to it
  const std::string name = copy == 0 ? x : x + "_" + std::to_string(copy);
  Input out;
  std::string from = x;
  if (!how.channel_scale.empty()) {
    const auto k = static_cast<int64_t>(how.channel_scale.size());
    from = nodes_.add("Mul", {x, nodes_.floats(name + "_factors", {k}, how.channel_scale)},
                      name + "_scaled");
  }
  if (!how.float_channels.empty()) {
    const std::string list = nodes_.constant(
        name + "_float_channels",
        Tensor::from_ints({static_cast<int64_t>(how.float_channels.size())}, how.float_channels));
    out.picked = nodes_.add("Gather", {x, list}, name + "_picked");
    nodes_.last().attributes["axis"] = int64_t{-1};
  }
  if (how.unrounded) {
    out.rounded = from;
  } else if (how.range) {
    by_range(from, name, *how.range, out);
  } else {
    by_row(from, name, out);
  }
  return inputs_.emplace(key, std::move(out)).first->second;
}

void ProductWriter::by_row(const std::string& from, const std::string& x, Input& out) {
  const std::string high = nodes_.reduce_last("ReduceMax", from, x + "_high");
  out.low = nodes_.reduce_last("ReduceMin", from, x + "_low");
  const std::string range = nodes_.add("Sub", {high, out.low}, x + "_span");
  out.range = nodes_.add("Max", {range, nodes_.scalar("embedforge_smallest_range", kSmallestRange)},
                         x + "_range");
  const std::string shifted = nodes_.add("Sub", {from, out.low}, x + "_shifted");
  const std::string unit = nodes_.add("Div", {shifted, out.range}, x + "_unit");
  const std::string step = nodes_.scalar("embedforge_step", 1.0F / 255.0F);
  out.rounded =
      nodes_.add("QuantizeLinear", {unit, step, byte("embedforge_zero", 0)}, x + "_rounded");
}

void ProductWriter::by_range(const std::string& from, const std::string& x,
                             const StaticRange& range, Input& out) {
  const std::string scale = nodes_.scalar(x + "_step", range.scale);
  const std::string zero = byte(x + "_zero", range.zero);
  const std::string q = nodes_.add("QuantizeLinear", {from, scale, zero}, x + "_rounded");
  out.rounded = nodes_.add("DequantizeLinear", {q, scale, zero}, x + "_dequantized");
}

}  // namespace embedforge::quantization
