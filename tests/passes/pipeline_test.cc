// What the passes leave alone, what they refuse, and the order of things.
#include "passes/pipeline.h"

#include <gtest/gtest.h>

#include <set>

#include "graph/graphs.h"
#include "graph/print.h"
#include "graph/read_onnx.h"
#include "graph/write_onnx.h"

namespace embedforge {
namespace {

using testing::make_node;

const std::vector<Dim> kRow = {std::string("batch"), int64_t{3}};

Graph optimized(Graph graph, OptimizeLevel level = OptimizeLevel::kAll) {
  optimize(graph, {level}, "test");
  return graph;
}

TEST(Pipeline, NamesAreUniqueAndEachPassSaysWhatItIsFor) {
  std::set<std::string> names;
  for (const PassInfo& pass : list_passes()) {
    EXPECT_TRUE(names.insert(pass.name).second) << pass.name;
    EXPECT_FALSE(pass.intent.empty()) << pass.name;
    EXPECT_NE(pass.level, OptimizeLevel::kNone) << pass.name;
  }
}

TEST(Pipeline, RefusesAPassThatThereIsNot) {
  Graph graph = testing::small_graph();
  testing::expect_error(ErrorCode::kUsage, {"'magic'", "--list-passes"}, [&] {
    optimize(graph, {OptimizeLevel::kAll, {"magic"}}, "test");
  });
}

TEST(Pipeline, DropsWhatHasNoEffectAndKeepsNamesOfOutputs) {
  Graph graph = testing::small_graph();
  graph.initializers["one"] = Tensor::from_floats({}, {1});
  graph.initializers["unused"] = Tensor::from_floats({2}, {1, 2});
  graph.nodes = {make_node("Identity", {"x"}, {"a"}), make_node("Mul", {"a", "one"}, {"b"}),
                 make_node("Add", {"b", "w"}, {"c"}), make_node("Add", {"b", "w"}, {"d"}),
                 make_node("Mul", {"c", "d"}, {"e"}), make_node("Relu", {"e"}, {"dead"}),
                 make_node("Identity", {"e"}, {"y"})};
  const Graph out = optimized(graph, OptimizeLevel::kBasic);
  ASSERT_EQ(out.nodes.size(), 2U) << print(out);
  EXPECT_EQ(out.nodes[0].op_type, "Add");
  EXPECT_EQ(out.nodes[0].inputs[0], "x");
  EXPECT_EQ(out.nodes[1].outputs[0], "y");
  EXPECT_EQ(out.initializers.size(), 1U);
}

TEST(Pipeline, AnOutputThatIsAnInputStaysAnIdentity) {
  Graph graph = testing::small_graph();
  graph.initializers.clear();
  graph.nodes = {make_node("Identity", {"x"}, {"y"})};
  EXPECT_EQ(optimized(graph).nodes.size(), 1U);
}

TEST(Pipeline, AnOutputThatOtherNodesUseKeepsItsName) {
  Graph graph = testing::small_graph();
  graph.initializers.clear();
  graph.outputs.push_back({"inner", DataType::kFloat, kRow});
  graph.nodes = {make_node("Neg", {"x"}, {"a"}), make_node("Concat", {"a"}, {"inner"}),
                 make_node("Abs", {"inner"}, {"y"})};
  const Graph out = optimized(graph);
  ASSERT_EQ(out.nodes.size(), 2U) << print(out);
  EXPECT_EQ(out.nodes[0].outputs[0], "inner");
  EXPECT_EQ(out.nodes[1].inputs[0], "inner");
}

TEST(Pipeline, LeavesUnknownDomainsAndTheirEqualNodesAlone) {
  Graph graph = testing::small_graph();
  graph.opsets["org.example"] = 3;
  Node custom = make_node("Wobble", {"x"}, {"a"});
  custom.domain = "org.example";
  Node twin = custom;
  twin.outputs = {"b"};
  twin.name = "twin";
  graph.nodes = {custom, twin, make_node("Add", {"a", "b"}, {"y"})};
  const Graph out = optimized(graph);
  EXPECT_EQ(out.nodes.size(), 3U);
  EXPECT_EQ(out.opsets.at("org.example"), 3);
}

TEST(Pipeline, KeepsWhatASubgraphTakesFromOutside) {
  Graph graph = testing::small_graph();
  graph.inputs.push_back({"choice", DataType::kBool, std::vector<Dim>{}});
  const auto branch = [&](const std::string& name, const std::string& from) {
    auto inner = std::make_shared<Graph>();
    inner->name = name;
    inner->outputs = {{name, DataType::kFloat, kRow}};
    inner->nodes = {make_node("Neg", {from}, {name})};
    return inner;
  };
  graph.nodes = {
      make_node("Identity", {"x"}, {"captured"}),
      make_node("If", {"choice"}, {"y"},
                {{"then_branch", branch("yes", "captured")}, {"else_branch", branch("no", "x")}})};
  graph.initializers.clear();
  const Graph out = optimized(graph);
  ASSERT_EQ(out.nodes.size(), 2U) << print(out);
  EXPECT_EQ(out.nodes[0].outputs[0], "captured");
}

TEST(Pipeline, KeepsFunctionsAndTheirDomains) {
  Graph graph = testing::small_graph();
  graph.functions = {std::byte{0}};
  graph.opsets["functions"] = 1;
  Node call = make_node("F", {"x"}, {"y"});
  call.domain = "functions";
  graph.nodes = {call};
  const Graph out = optimized(graph);
  EXPECT_EQ(out.functions.size(), 1U);
  EXPECT_TRUE(out.opsets.contains("functions"));
}

TEST(Pipeline, RefusesDanglingOutputsMissingValuesAndCycles) {
  Graph graph = testing::small_graph();
  graph.outputs.push_back({"nowhere", DataType::kFloat, kRow});
  testing::expect_error(ErrorCode::kBadInput, {"test", "nowhere"}, [&] { optimized(graph); });
  graph = testing::small_graph();
  graph.initializers.erase("w");
  testing::expect_error(ErrorCode::kBadInput, {"test", "'w'", "Add"}, [&] { optimized(graph); });
  graph = testing::small_graph();
  graph.nodes[0].inputs[1] = "y";
  testing::expect_error(ErrorCode::kBadInput, {"test", "'y'"}, [&] { optimized(graph); });
}

TEST(Pipeline, ShapesThatContradictEachOtherStayTheRuntimesToRefuse) {
  Graph graph = testing::small_graph();
  graph.initializers["w"] = Tensor::from_floats({2}, {1, 2});  // x has 3 columns
  EXPECT_EQ(print(optimized(graph)), print(graph));
}

/// What ONNX Runtime's optimizer makes with --float16: the last Cast is none to the same type.
TEST(Pipeline, LeavesFusedOperatorsInFloat16Alone) {
  const auto half = [](std::vector<int64_t> dims) {
    const auto count = static_cast<size_t>(dims[0] * (dims.size() > 1 ? dims[1] : 1));
    return Tensor::from(DataType::kFloat16, std::move(dims), std::vector<uint16_t>(count, 0x3c00));
  };
  Graph graph = testing::small_graph();
  graph.opsets["com.microsoft"] = 1;
  const std::vector<Dim> shape = {std::string("batch"), std::string("sequence")};
  graph.inputs = {{"ids", DataType::kInt32, shape}};
  graph.outputs = {{"y", DataType::kFloat, {}}};
  graph.initializers = {
      {"table", half({5, 2})}, {"row", half({2})}, {"qkv", half({2, 6})}, {"bias", half({6})}};
  graph.nodes = {
      make_node("EmbedLayerNormalization", {"ids", "", "table", "table", "", "row", "row"}, {"e"}),
      make_node("Attention", {"e", "qkv", "bias"}, {"a"}, {{"num_heads", int64_t{1}}}),
      make_node("SkipLayerNormalization", {"a", "e", "row", "row", "row"}, {"s"}),
      make_node("Cast", {"s"}, {"y"}, {{"to", int64_t{1}}})};
  for (size_t i = 0; i < 3; ++i) graph.nodes[i].domain = "com.microsoft";
  EXPECT_EQ(print(optimized(graph)), print(graph));
}

TEST(Pipeline, RandomNumbersStayDifferent) {
  Graph graph = testing::small_graph();
  graph.nodes = {make_node("RandomNormalLike", {"x"}, {"a"}),
                 make_node("RandomNormalLike", {"x"}, {"b"}), make_node("Sub", {"a", "b"}, {"y"})};
  EXPECT_EQ(optimized(graph).nodes.size(), 3U);
}

/// A Slice to 512 is no no-op for longer inputs, whatever it is for the lengths that were tried.
TEST(Pipeline, KeepsASliceThatCutsLongInputs) {
  Graph graph = testing::small_graph();
  const std::vector<Dim> shape = {std::string("batch"), std::string("sequence")};
  graph.inputs = {{"x", DataType::kInt64, shape}};
  graph.outputs = {{"y", DataType::kInt64, shape}};
  graph.initializers = {{"from", Tensor::from_ints({1}, {0})},
                        {"to", Tensor::from_ints({1}, {512})},
                        {"axis", Tensor::from_ints({1}, {1})}};
  graph.nodes = {make_node("Slice", {"x", "from", "to", "axis"}, {"s"}),
                 make_node("Neg", {"s"}, {"y"})};
  EXPECT_EQ(optimized(graph).nodes.size(), 2U);
}

TEST(OptimizeFile, NoneCopiesEvenInPlaceOfExternalData) {
  const testing::TemporaryFolder folder;
  Graph graph = testing::small_graph();
  write_onnx(graph, folder / "model.onnx");
  const OptimizeResult result =
      optimize((folder / "model.onnx").string(), folder / "copy.onnx", {OptimizeLevel::kNone});
  EXPECT_EQ(testing::read_file(folder / "copy.onnx"), testing::read_file(folder / "model.onnx"));
  EXPECT_EQ(result.nodes_before, result.nodes_after);
  graph.initializers["w"] = Tensor::from_floats({3000}, std::vector<float>(3000, 1));
  write_onnx(graph, folder / "big.onnx", {.message_limit = 4096});
  ASSERT_TRUE(std::filesystem::exists(folder / "big.onnx.data"));
  std::filesystem::create_directory(folder / "elsewhere");
  optimize((folder / "big.onnx").string(), folder / "elsewhere/copy.onnx", {OptimizeLevel::kNone});
  EXPECT_EQ(print(read_onnx(folder / "elsewhere/copy.onnx")), print(graph));
}

}  // namespace
}  // namespace embedforge
