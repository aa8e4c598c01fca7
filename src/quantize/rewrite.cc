#include "quantize/rewrite.h"

#include <algorithm>
#include <map>
#include <set>

#include "embedforge/error.h"
#include "graph/tensor.h"
#include "quantize/write_product.h"

namespace embedforge::quantization {
namespace {

constexpr int64_t kSmallest = 32;  // rows and columns of a matrix that is worth it

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

/// An embedding table that rows are gathered from: int8 with a scale per row.
void write_table(NodeWriter& writer, const Node& node, const Tensor& tensor) {
  const std::string& name = node.inputs[0];
  const std::string& ids = node.inputs[1];
  const int64_t rows = tensor.dims[0];
  const auto width = static_cast<size_t>(tensor.dims[1]);
  const std::vector<float> values = to_floats(tensor);
  std::vector<int8_t> q(values.size());
  std::vector<float> scales;
  scales.reserve(static_cast<size_t>(rows));
  for (size_t row = 0; row < static_cast<size_t>(rows); ++row) {
    scales.push_back(round_row(std::span(values).subspan(row * width, width), &q[row * width]));
  }
  const std::string table = writer.constant(
      name + "_quantized", Tensor::from(DataType::kInt8, tensor.dims, std::move(q)));
  const std::string taken = writer.add("Gather", {table, ids}, name + "_integers");
  const std::string real = writer.cast(taken, name + "_real");
  const std::string scale = writer.add(
      "Gather", {writer.floats(name + "_scale", {rows, 1}, scales), ids}, name + "_row_scale");
  writer.add("Mul", {real, scale}, node.outputs[0]);
  writer.drop(name);
}

/// A table that rows are sliced from (positions): float16.
void write_sliced_table(NodeWriter& writer, const Node& node, const Tensor& tensor) {
  const std::string& name = node.inputs[0];
  Node changed = node;
  changed.inputs[0] =
      writer.cast(writer.halves(name + "_half", tensor.dims, to_halves(tensor)), name + "_real");
  writer.keep(std::move(changed));
  writer.drop(name);
}

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
  NodeWriter nodes(graph);
  ProductWriter writer(nodes);
  for (const Node& node : graph.nodes) {
    const std::string second = node.inputs.size() > 1 ? node.inputs[1] : "";
    const auto found = node.op_type == "MatMul" ? by_weight.find(second) : by_weight.end();
    if (found != by_weight.end()) {
      writer.write(node, products[found->second], decided[found->second]);
      continue;
    }
    const bool gathers =
        node.op_type == "Gather" && node.domain.empty() && node.int_attribute("axis", 0) == 0;
    const bool slices = node.op_type == "Slice" && node.domain.empty();
    const Tensor* table = gathers || slices ? own_matrix(graph, uses, node.inputs[0]) : nullptr;
    if (table == nullptr) {
      nodes.keep(node);
    } else if (gathers) {
      write_table(nodes, node, Tensor(*table));
    } else {
      write_sliced_table(nodes, node, Tensor(*table));
    }
  }
  nodes.finish();
}

}  // namespace embedforge::quantization
