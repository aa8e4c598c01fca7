// Every level on what each exporter writes: what is fused, that it computes the same, and that
// nothing is left to do.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <string>

#include "graph/print.h"
#include "graph/read_onnx.h"
#include "graph/tensor.h"
#include "passes/pipeline.h"
#include "plan/golden_graphs.h"
#include "plan/interpret_program.h"
#include "plan/raise.h"

namespace embedforge {
namespace {

std::map<std::string, int> count_operators(const Graph& graph) {
  std::map<std::string, int> out;
  for (const Node& node : graph.nodes) ++out[node.op_type];
  return out;
}

class Exporters : public ::testing::TestWithParam<const char*> {};

TEST_P(Exporters, ExtendedFusesAttentionNormsAndGelu) {
  Graph graph = read_onnx(testing::kGraphs / (std::string(GetParam()) + ".onnx"));
  optimize(graph, {OptimizeLevel::kExtended}, "test");
  auto operators = count_operators(graph);
  EXPECT_EQ(operators["Attention"], 1);
  EXPECT_EQ(operators["EmbedLayerNormalization"], 1);
  EXPECT_EQ(operators["SkipLayerNormalization"], 2);
  EXPECT_EQ(operators["BiasGelu"] + operators["FastGelu"], 1);
  EXPECT_EQ(operators["Softmax"] + operators["LayerNormalization"] + operators["Erf"], 0);
  EXPECT_EQ(operators["MatMul"], 3);
}

TEST_P(Exporters, AllHasNormsThatAreFaster) {
  Graph graph = read_onnx(testing::kGraphs / (std::string(GetParam()) + ".onnx"));
  optimize(graph, {OptimizeLevel::kAll}, "test");
  auto operators = count_operators(graph);
  EXPECT_EQ(operators["LayerNormalization"], 2);
  EXPECT_EQ(operators["SkipLayerNormalization"], 0);
  EXPECT_GE(graph.opsets.at(""), 17);
}

TEST_P(Exporters, EveryLevelComputesTheSame) {
  const testing::Expected expected = testing::read_expected(GetParam());
  for (const auto level : {OptimizeLevel::kBasic, OptimizeLevel::kExtended, OptimizeLevel::kAll}) {
    Graph graph = read_onnx(testing::kGraphs / (std::string(GetParam()) + ".onnx"));
    optimize(graph, {level}, "test");
    const std::vector<float> values =
        testing::flat(testing::interpret(raise(graph), expected.batch));
    ASSERT_EQ(values.size(), expected.values.size());
    EXPECT_LT(testing::largest_difference(values, expected.values, 0, values.size()), 1e-5)
        << optimize_level_name(level);
  }
}

TEST_P(Exporters, ASecondRunChangesNothing) {
  for (const auto level : {OptimizeLevel::kBasic, OptimizeLevel::kExtended, OptimizeLevel::kAll}) {
    Graph graph = read_onnx(testing::kGraphs / (std::string(GetParam()) + ".onnx"));
    optimize(graph, {level}, "test");
    const std::string once = print(graph);
    optimize(graph, {level}, "test");
    EXPECT_EQ(print(graph), once) << optimize_level_name(level);
  }
}

TEST_P(Exporters, ExtendedAfterBasicIsExtended) {
  Graph graph = read_onnx(testing::kGraphs / (std::string(GetParam()) + ".onnx"));
  Graph direct = graph;
  optimize(direct, {OptimizeLevel::kExtended}, "test");
  optimize(graph, {OptimizeLevel::kBasic}, "test");
  optimize(graph, {OptimizeLevel::kExtended}, "test");
  EXPECT_EQ(count_operators(graph), count_operators(direct));
}

TEST_P(Exporters, EachPassCanBeLeftOut) {
  const testing::Expected expected = testing::read_expected(GetParam());
  for (const Pass& pass : pass_list()) {
    Graph graph = read_onnx(testing::kGraphs / (std::string(GetParam()) + ".onnx"));
    optimize(graph, {OptimizeLevel::kAll, {pass.name}}, "test");
    const std::vector<float> values =
        testing::flat(testing::interpret(raise(graph), expected.batch));
    ASSERT_EQ(values.size(), expected.values.size()) << pass.name;
    EXPECT_LT(testing::largest_difference(values, expected.values, 0, values.size()), 1e-5)
        << pass.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Graphs, Exporters,
                         ::testing::Values("legacy11_eager", "legacy14", "legacy17",
                                           "legacy17_no_types", "legacy17_long", "dynamo18",
                                           "dynamo20_gelu_new", "dynamo23", "roberta", "distilbert",
                                           "fused_eager", "ort_extended", "sentence_mean",
                                           "sentence_dynamo"),
                         [](const auto& each) { return std::string(each.param); });

TEST(SplitSkipNorm, KeepsAnOpsetWhoseOperatorsMeanSomethingElseIn17) {
  Graph graph = read_onnx(testing::kGraphs / "legacy11_eager.onnx");
  ASSERT_EQ(graph.opsets.at(""), 11);
  optimize(graph, {OptimizeLevel::kAll, {"fuse_attention"}}, "test");
  auto operators = count_operators(graph);
  EXPECT_EQ(operators["Softmax"], 1);  // its default axis, and what axis means, are of opset 13
  EXPECT_EQ(operators["SkipLayerNormalization"], 2);
  EXPECT_EQ(graph.opsets.at(""), 11);
}

/// Of legacy17_long, whose mask is (query >= 0) and attention_mask[batch, key].
Graph with_other_mask(const std::function<void(Graph&, Node&)>& change) {
  Graph graph = read_onnx(testing::kGraphs / "legacy17_long.onnx");
  for (Node& node : graph.nodes) change(graph, node);
  optimize(graph, {OptimizeLevel::kExtended}, "test");
  return graph;
}

TEST(Attention, StaysWhereSomeQueriesSeeNothing) {
  const Graph graph = with_other_mask([](Graph& all, Node& node) {
    if (node.op_type != "GreaterOrEqual") return;
    all.initializers["two"] = Tensor::from_ints({}, {2});
    node.inputs[1] = "two";
  });
  EXPECT_EQ(count_operators(graph)["Attention"], 0);
}

TEST(Attention, StaysWhereAMaskIsInfinitelyGood) {
  const Graph graph = with_other_mask([](Graph&, Node& node) {
    const auto value = node.attributes.find("value");
    if (node.op_type != "Constant" || value == node.attributes.end()) return;
    const auto& tensor = std::get<Tensor>(value->second);
    if (tensor.type != DataType::kFloat || to_doubles(tensor) != std::vector<double>{-INFINITY}) {
      return;
    }
    value->second = Tensor::from_floats({1}, {INFINITY});
  });
  EXPECT_EQ(count_operators(graph)["Attention"], 0);
}

TEST(Attention, StaysWhereTheFirstTokensMaskIsThatOfAll) {
  const Graph graph = with_other_mask([](Graph& all, Node& node) {
    for (std::string& name : node.inputs) {
      if (name != "/m/Range_2_output_0") continue;
      all.initializers["first"] = Tensor::from_ints({1}, {0});
      name = "first";
    }
  });
  EXPECT_EQ(count_operators(graph)["Attention"], 0);
}

TEST(LayerNorm, StaysWithAnEpsilonThatFusedOperatorsRefuse) {
  Graph graph = read_onnx(testing::kGraphs / "legacy17.onnx");
  for (Node& node : graph.nodes) {
    if (node.op_type == "LayerNormalization") node.attributes["epsilon"] = -1e-12F;
  }
  optimize(graph, {OptimizeLevel::kExtended}, "test");
  auto operators = count_operators(graph);
  EXPECT_EQ(operators["LayerNormalization"], 3);
  EXPECT_EQ(operators["SkipLayerNormalization"] + operators["EmbedLayerNormalization"], 0);
}

/// Quantized products stay as they are, with their weights in integers.
TEST(Quantized, StaysQuantizedAndComputesTheSame) {
  for (const char* name : {"int8", "int8_fused_eager", "int8_ort_extended"}) {
    Graph graph = read_onnx(testing::kGraphs / (std::string(name) + ".onnx"));
    const auto before = count_operators(graph);
    optimize(graph, {OptimizeLevel::kAll}, "test");
    const auto after = count_operators(graph);
    for (const char* op : {"MatMulInteger", "MatMulIntegerToFloat", "QAttention"}) {
      EXPECT_EQ(after.contains(op) ? after.at(op) : 0, before.contains(op) ? before.at(op) : 0)
          << name << " " << op;
    }
    const Program program = raise(graph);
    const testing::Expected expected = testing::read_expected(name);
    const std::vector<float> values =
        testing::flat(testing::interpret(program, expected.batch, true));
    const auto width = static_cast<size_t>(program.hidden_size);
    ASSERT_EQ(values.size(), expected.values.size());
    EXPECT_LT(
        testing::largest_difference(values, expected.values, values.size() - width, values.size()),
        1e-5)
        << name;
  }
}

}  // namespace
}  // namespace embedforge
