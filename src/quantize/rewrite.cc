#include "quantize/rewrite.h"

#include <algorithm>
#include <map>
#include <set>

#include "embedforge/error.h"
#include "graph/tensor.h"

namespace embedforge::quantization {
namespace {

constexpr int64_t kSmallest = 32;         // rows and columns of a matrix that is worth it
constexpr float kSmallestRange = 1e-12F;  // keeps a row of equal values from a division by 0
constexpr int64_t kAxesInput = 18;  // the opset since which ReduceMax takes its axes as an input

const std::set<std::string>& quantized_operators() {
  static const std::set<std::string> kNames = {
      "DynamicQuantizeLinear", "DequantizeLinear",     "MatMulInteger", "QuantizeLinear",
      "DynamicQuantizeMatMul", "MatMulIntegerToFloat", "QLinearMatMul", "MatMulNBits"};
  return kNames;
}

std::map<std::string, int> count_uses(const Graph& graph) {
  std::map<std::string, int> uses;
  for (const Node& node : graph.nodes) {
    for (const std::string& input : node.inputs) ++uses[input];
  }
  for (const ValueInfo& output : graph.outputs) ++uses[output.name];
  return uses;
}

const std::string& name_of(const Node& node) {
  return node.name.empty() ? node.outputs.at(0) : node.name;
}

/// The initializer when `name` is a float matrix that is used once; nullptr otherwise.
const Tensor* own_matrix(const Graph& graph, const std::map<std::string, int>& uses,
                         const std::string& name) {
  const auto found = graph.initializers.find(name);
  if (found == graph.initializers.end() || uses.at(name) != 1) return nullptr;
  const Tensor& tensor = found->second;
  const bool fits = tensor.dims.size() == 2 && is_float_type(tensor.type) &&
                    tensor.dims[0] >= kSmallest && tensor.dims[1] >= kSmallest;
  return fits ? &tensor : nullptr;
}

/// The initializer of n numbers that the only reader of `value` adds to it; "" for none.
std::string bias_after(const Graph& graph, const std::map<std::string, int>& uses,
                       const std::string& value, int64_t n) {
  if (uses.at(value) != 1) return "";
  for (const Node& node : graph.nodes) {
    if (node.op_type != "Add" || !node.domain.empty() || node.inputs.size() != 2) continue;
    for (const size_t i : {size_t{0}, size_t{1}}) {
      if (node.inputs[i] != value) continue;
      const auto found = graph.initializers.find(node.inputs[1 - i]);
      const bool fits = found != graph.initializers.end() && uses.at(found->first) == 1 &&
                        found->second.dims == std::vector<int64_t>{n} &&
                        found->second.type == DataType::kFloat;
      return fits ? found->first : "";
    }
  }
  return "";
}

/// Writes the new nodes in place of the old ones.
class Rewriter {
 public:
  explicit Rewriter(Graph& graph) : graph_(graph) {
    const auto found = graph.opsets.find("");
    opset_ = found == graph.opsets.end() ? 0 : found->second;
  }

  void product(const Node& node, const Product& product, const QuantizedProduct& decided) {
    const std::string& w = product.weight;
    const Input& in = rounded(node.inputs[0], decided.float_channels, product.k);
    std::vector<float> steps;
    std::vector<float> sums;
    for (int64_t c = 0; c < product.n; ++c) {
      int64_t sum = 0;
      for (int64_t r = 0; r < product.k; ++r) {
        sum += decided.weight.q[static_cast<size_t>(r * product.n + c)];
      }
      const float scale = decided.weight.scales[static_cast<size_t>(c)];
      steps.push_back(scale / 255.0F);
      sums.push_back(scale * static_cast<float>(sum));
    }
    const std::string integers = constant(
        w + "_quantized", Tensor::from(DataType::kInt8, {product.k, product.n}, decided.weight.q));
    const std::string sum = add("MatMulInteger", {in.rounded, integers}, w + "_sum");
    const std::string real = cast(sum, w + "_real");
    const std::string scaled =
        add("Mul", {real, floats(w + "_scale", {product.n}, steps)}, w + "_scaled");
    const std::string ranged = add("Mul", {scaled, in.range}, w + "_ranged");
    const std::string low =
        add("Mul", {in.low, floats(w + "_column_sums", {product.n}, sums)}, w + "_low");
    const bool whole = decided.float_channels.empty();
    const std::string total =
        add("Add", {ranged, low}, whole ? node.outputs[0] : w + "_integer_product");
    if (!whole) {
      const auto count = static_cast<int64_t>(decided.float_channels.size());
      const std::string rows = floats(w + "_float_rows", {count, product.n}, decided.float_rows);
      const std::string part = add("MatMul", {in.picked, rows}, w + "_float_product");
      add("Add", {total, part}, node.outputs[0]);
    }
    if (!decided.bias.empty() && !product.bias.empty()) {
      graph_.initializers[product.bias] = Tensor::from_floats({product.n}, decided.bias);
    }
    graph_.initializers.erase(w);
  }

  void table(const Node& node, const Tensor& tensor) {
    const std::string name = node.inputs[0];
    const std::string& ids = node.inputs[1];
    const int64_t rows = tensor.dims[0];
    const int64_t width = tensor.dims[1];
    const std::vector<float> values = to_floats(tensor);
    std::vector<int8_t> q(values.size());
    std::vector<float> scales;
    for (size_t row = 0; row < static_cast<size_t>(rows); ++row) {
      // One column of the transposed matrix: the rounding of a weight.
      const std::span<const float> one =
          std::span(values).subspan(row * static_cast<size_t>(width), static_cast<size_t>(width));
      const RoundedMatrix rounded = round_to_nearest(one, width, 1);
      std::copy(rounded.q.begin(), rounded.q.end(),
                q.begin() + static_cast<ptrdiff_t>(row * one.size()));
      scales.push_back(rounded.scales[0]);
    }
    const std::string table_name =
        constant(name + "_quantized", Tensor::from(DataType::kInt8, tensor.dims, std::move(q)));
    const std::string taken = add("Gather", {table_name, ids}, name + "_integers");
    const std::string real = cast(taken, name + "_real");
    const std::string scale =
        add("Gather", {floats(name + "_scale", {rows, 1}, scales), ids}, name + "_row_scale");
    add("Mul", {real, scale}, node.outputs[0]);
    graph_.initializers.erase(name);
  }

  void keep(Node node) { nodes_.push_back(std::move(node)); }

  void finish() {
    graph_.nodes = std::move(nodes_);
    graph_.values.clear();
  }

 private:
  /// An activation as integers, shared by the products that take it.
  struct Input {
    std::string rounded, low, range, picked;
  };

  const Input& rounded(const std::string& x, const std::vector<int64_t>& channels, int64_t k) {
    const auto key = std::pair(x, channels);
    const auto found = inputs_.find(key);
    if (found != inputs_.end()) return found->second;
    Input out;
    std::string from = x;
    if (!channels.empty()) {
      std::vector<float> mask(static_cast<size_t>(k), 1);
      for (const int64_t channel : channels) mask[static_cast<size_t>(channel)] = 0;
      from = add("Mul", {x, floats(x + "_mask", {k}, mask)}, x + "_masked");
      const std::string list =
          constant(x + "_float_channels",
                   Tensor::from_ints({static_cast<int64_t>(channels.size())}, channels));
      out.picked = add("Gather", {x, list}, x + "_picked");
      nodes_.back().attributes["axis"] = int64_t{-1};
    }
    const std::string high = reduce("ReduceMax", from, x + "_high");
    out.low = reduce("ReduceMin", from, x + "_low");
    const std::string range = add("Sub", {high, out.low}, x + "_span");
    out.range =
        add("Max", {range, scalar("embedforge_smallest_range", kSmallestRange)}, x + "_range");
    const std::string shifted = add("Sub", {from, out.low}, x + "_shifted");
    const std::string unit = add("Div", {shifted, out.range}, x + "_unit");
    const std::string step = scalar("embedforge_step", 1.0F / 255.0F);
    const std::string zero =
        constant("embedforge_zero", Tensor::from(DataType::kUint8, {}, std::vector<uint8_t>{0}));
    out.rounded = add("QuantizeLinear", {unit, step, zero}, x + "_rounded");
    return inputs_.emplace(key, std::move(out)).first->second;
  }

  std::string reduce(const std::string& op, const std::string& x, const std::string& out) {
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

  std::string cast(const std::string& x, const std::string& out) {
    std::string made = add("Cast", {x}, out);
    nodes_.back().attributes["to"] = static_cast<int64_t>(DataType::kFloat);
    return made;
  }

  std::string add(const std::string& op, std::vector<std::string> inputs, const std::string& out) {
    nodes_.push_back({out + "_node", op, "", std::move(inputs), {out}, {}});
    return out;
  }

  std::string constant(const std::string& name, Tensor tensor) {
    graph_.initializers.emplace(name, std::move(tensor));
    return name;
  }
  std::string floats(const std::string& name, std::vector<int64_t> dims,
                     std::vector<float> values) {
    return constant(name, Tensor::from_floats(std::move(dims), std::move(values)));
  }
  std::string scalar(const std::string& name, float value) { return floats(name, {}, {value}); }

  Graph& graph_;
  int64_t opset_ = 0;
  std::vector<Node> nodes_;
  std::map<std::pair<std::string, std::vector<int64_t>>, Input> inputs_;
};

}  // namespace

std::vector<Product> find_products(const Graph& graph, const std::vector<std::string>& excluded) {
  const std::map<std::string, int> uses = count_uses(graph);
  std::set<std::string> left(excluded.begin(), excluded.end());
  std::vector<Product> out;
  for (const Node& node : graph.nodes) {
    if (quantized_operators().contains(node.op_type))
      throw_bad_input("node '" + name_of(node) + "' (" + node.op_type +
                      "): the model is quantized already; give the float model");
    if (node.op_type != "MatMul" || !node.domain.empty()) continue;
    if (left.erase(name_of(node)) != 0) continue;
    if (graph.initializers.contains(node.inputs.at(0))) continue;
    const Tensor* weight = own_matrix(graph, uses, node.inputs.at(1));
    if (weight == nullptr) continue;
    const int64_t n = weight->dims[1];
    out.push_back({name_of(node), node.inputs[1], bias_after(graph, uses, node.outputs[0], n),
                   weight->dims[0], n});
  }
  if (!left.empty())
    throw_usage("--exclude " + *left.begin() +
                ": no MatMul node has this name; `embedforge inspect --json` lists the nodes");
  return out;
}

void quantize_graph(Graph& graph, const std::vector<Product>& products,
                    const std::vector<QuantizedProduct>& decided) {
  const std::map<std::string, int> uses = count_uses(graph);
  std::map<std::string, size_t> by_weight;
  for (size_t i = 0; i < products.size(); ++i) by_weight[products[i].weight] = i;
  Rewriter rewriter(graph);
  for (const Node& node : graph.nodes) {
    const std::string second = node.inputs.size() > 1 ? node.inputs[1] : "";
    const auto found = node.op_type == "MatMul" ? by_weight.find(second) : by_weight.end();
    if (found != by_weight.end()) {
      rewriter.product(node, products[found->second], decided[found->second]);
      continue;
    }
    const bool gathers =
        node.op_type == "Gather" && node.domain.empty() && node.int_attribute("axis", 0) == 0;
    const Tensor* table = gathers ? own_matrix(graph, uses, node.inputs[0]) : nullptr;
    if (table != nullptr) {
      rewriter.table(node, Tensor(*table));
    } else {
      rewriter.keep(node);
    }
  }
  rewriter.finish();
}

}  // namespace embedforge::quantization
