// Element types that operators can't have are refused with the node, the value and the types.
#include "graph/check_types.h"

#include <gtest/gtest.h>

#include "graph/graphs.h"

namespace embedforge {
namespace {

using testing::make_node;

const std::vector<Dim> kRow = {std::string("batch"), int64_t{3}};

/// x float [batch, 3], i int64, h float16, c bool; `node` makes y.
Graph graph_of(const Node& node, DataType output = DataType::kFloat) {
  Graph graph = testing::small_graph();
  graph.inputs = {{"x", DataType::kFloat, kRow},
                  {"i", DataType::kInt64, kRow},
                  {"h", DataType::kFloat16, kRow},
                  {"c", DataType::kBool, kRow}};
  graph.outputs = {{"y", output, kRow}};
  graph.nodes = {node};
  return graph;
}

void expect_refused(const Node& node, const std::vector<std::string>& parts,
                    DataType output = DataType::kFloat) {
  testing::expect_error(ErrorCode::kBadInput, parts,
                        [&] { check_types(graph_of(node, output), "file.onnx"); });
}

TEST(CheckTypes, RefusesWhatAnOperatorCannotTake) {
  expect_refused(make_node("Add", {"x", "i"}, {"y"}),
                 {"file.onnx", "node 'Add_y' (Add)", "'x'", "float32", "'i'", "int64"});
  expect_refused(make_node("Concat", {"w", "x", "h"}, {"y"}), {"'h'", "float16"});
  expect_refused(make_node("Gather", {"w", "x"}, {"y"}), {"'x'", "int32 or int64"});
  expect_refused(make_node("Reshape", {"w", "h"}, {"y"}), {"'h'", "needs int64"});
  expect_refused(make_node("Where", {"x", "x", "x"}, {"y"}), {"needs bool"});
  expect_refused(make_node("Softmax", {"i"}, {"y"}), {"needs floats"});
  Graph graph = graph_of(make_node("Shape", {"x"}, {"s"}));
  const Tensor yes = Tensor::from(DataType::kBool, {1}, std::vector<uint8_t>{1});
  graph.nodes.push_back(make_node("ConstantOfShape", {"s"}, {"ones"}, {{"value", yes}}));
  graph.nodes.push_back(make_node("Add", {"ones", "i"}, {"y"}));
  testing::expect_error(ErrorCode::kBadInput, {"'ones'", "bool", "'i'"},
                        [&] { check_types(graph, "f"); });
  Node skip = make_node("SkipLayerNormalization", {"x", "h", "w"}, {"y"});
  skip.domain = "com.microsoft";
  expect_refused(skip, {"'x'", "float32", "'h'", "float16"});
}

TEST(CheckTypes, RefusesAnOutputOfAnotherType) {
  const Node less = make_node("Less", {"x", "w"}, {"y"});
  expect_refused(less, {"output 'y'", "float32", "bool"});
  check_types(graph_of(less, DataType::kBool), "file.onnx");
}

TEST(CheckTypes, RefusesTooFewInputsAndNoOutput) {
  expect_refused(make_node("MatMul", {"x"}, {"y"}), {"MatMul_y", "no input 1", "2 inputs"});
  expect_refused(make_node("Where", {"c", "", "w"}, {"y"}), {"no input 1", "3 inputs"});
  expect_refused(make_node("Relu", {}, {"y"}), {"no input 0"});
  Node node = make_node("Relu", {"x"}, {"y"});
  node.outputs.clear();
  expect_refused(node, {"no output"});
}

TEST(CheckTypes, RefusesAttributesOfAnotherType) {
  expect_refused(make_node("LayerNormalization", {"x", "w"}, {"y"}, {{"epsilon", "tiny"}}),
                 {"LayerNormalization_y", "'epsilon'", "text", "a float"});
  expect_refused(make_node("Softmax", {"x"}, {"y"}, {{"axis", 1.0F}}),
                 {"'axis'", "a float", "an integer"});
  using Order = std::vector<int64_t>;
  for (const Order& order : {Order{0, 0}, Order{0, 2}, Order{-1, 0}}) {
    expect_refused(make_node("Transpose", {"x"}, {"y"}, {{"perm", order}}),
                   {"'perm'", "no permutation"});
  }
  check_types(graph_of(make_node("Transpose", {"x"}, {"y"}, {{"perm", Order{1, 0}}})), "f");
}

TEST(CheckTypes, FollowsTypesThroughNodesAndIntoSubgraphs) {
  Graph graph = graph_of(make_node("Shape", {"x"}, {"s"}));
  graph.nodes.push_back(make_node("Cast", {"x"}, {"wide"}, {{"to", int64_t{11}}}));
  graph.nodes.push_back(make_node("Mul", {"wide", "x"}, {"y"}));
  testing::expect_error(ErrorCode::kBadInput, {"'wide'", "float64"},
                        [&] { check_types(graph, "f"); });
  auto inner = std::make_shared<Graph>();
  inner->outputs = {{"z", DataType::kFloat, kRow}};
  inner->nodes = {make_node("Sub", {"x", "i"}, {"z"})};
  const Node branch =
      make_node("If", {"c"}, {"y"}, {{"then_branch", inner}, {"else_branch", inner}});
  expect_refused(branch, {"Sub_z"});
}

TEST(CheckTypes, LeavesUnknownOperatorsAndLegalMixturesAlone) {
  Node custom = make_node("Add", {"x", "i"}, {"y"});
  custom.domain = "org.example";
  check_types(graph_of(custom), "f");
  check_types(graph_of(make_node("Wobble", {"x", "i"}, {"y"})), "f");
  check_types(graph_of(make_node("Where", {"c", "x", "w"}, {"y"})), "f");
  check_types(graph_of(make_node("Pow", {"x", "i"}, {"y"})), "f");
}

}  // namespace
}  // namespace embedforge
