// Takes: a product and what was decided about it. Gives: the nodes that compute it with integers,
// in standard operators. Never: decides.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "quantize/rewrite.h"

namespace embedforge::quantization {

/// New nodes and constants of a graph, in the order in which they run.
class NodeWriter {
 public:
  explicit NodeWriter(Graph& graph);

  void keep(Node node) { nodes_.push_back(std::move(node)); }
  /// Each gives the name of what it defines.
  std::string add(const std::string& op, std::vector<std::string> inputs, const std::string& out);
  std::string cast(const std::string& x, const std::string& out);  // to float
  std::string reduce_last(const std::string& op, const std::string& x, const std::string& out);
  std::string constant(const std::string& name, Tensor tensor);
  std::string floats(const std::string& name, std::vector<int64_t> dims, std::vector<float> values);
  std::string scalar(const std::string& name, float value) { return floats(name, {}, {value}); }
  std::string halves(const std::string& name, std::vector<int64_t> dims,
                     std::vector<uint16_t> values);
  Node& last() { return nodes_.back(); }
  void replace(const std::string& name, Tensor tensor) {
    graph_.initializers[name] = std::move(tensor);
  }
  void drop(const std::string& name) { graph_.initializers.erase(name); }
  /// The graph's nodes are these from now on.
  void finish();

 private:
  Graph& graph_;
  int64_t opset_ = 0;
  std::vector<Node> nodes_;
};

/// Bits of float16.
std::vector<uint16_t> to_halves(const Tensor& tensor);

/// Writes a product of x in place of its MatMul. With x' = x times a constant for each channel:
///   ranges by row     the formula at the top of plan/trace_row_quantized.cc
///   a constant range  DequantizeLinear(QuantizeLinear(x')) times DequantizeLinear(weight)
///   unrounded         x' times DequantizeLinear(weight)
/// then plus MatMul(Gather(x, float channels), their rows).
class ProductWriter {
 public:
  explicit ProductWriter(NodeWriter& nodes) : nodes_(nodes) {}
  void write(const Node& node, const Product& product, const QuantizedProduct& decided);

 private:
  /// An activation as integers (or as what they stand for), shared by the products that take it.
  struct Input {
    std::string rounded, low, range, picked;
  };
  const Input& rounded(const std::string& x, const InputRounding& how);
  void by_row(const std::string& from, const std::string& x, Input& out);
  void by_range(const std::string& from, const std::string& x, const StaticRange& range,
                Input& out);
  std::vector<std::string> integer_inputs(const Input& in, const Product& product,
                                          const RoundedMatrix& weight);
  std::string byte(const std::string& name, uint8_t value);
  std::string row_product(const Input& in, const Product& product, const RoundedMatrix& weight,
                          const std::string& out);
  std::string real_product(const Input& in, const Product& product, const RoundedMatrix& weight,
                           const std::string& out);

  NodeWriter& nodes_;
  std::map<std::pair<std::string, std::vector<float>>, Input> inputs_;
  std::map<std::string, int> copies_;
};

}  // namespace embedforge::quantization
