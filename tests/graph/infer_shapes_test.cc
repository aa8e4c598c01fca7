#include "graph/infer_shapes.h"

#include <gtest/gtest.h>

#include "graph/print.h"
#include "graph/read_onnx.h"
#include "graphs.h"

namespace embedforge {
namespace {

Graph golden(const std::string& name) {
  return read_onnx(std::filesystem::path(EMBEDFORGE_TEST_DATA) / "graphs" / (name + ".onnx"));
}

/// The shapes of all outputs of nodes of this operator, in order.
std::vector<std::string> shapes_of(const Graph& graph, const std::string& op) {
  std::vector<std::string> out;
  for (const Node& node : graph.nodes) {
    if (node.op_type != op) continue;
    const auto found = graph.values.find(node.outputs[0]);
    out.push_back(found == graph.values.end() ? "?" : print(found->second));
  }
  return out;
}

class Exporter : public ::testing::TestWithParam<const char*> {};

TEST_P(Exporter, EveryValueIsKnown) {
  Graph graph = golden(GetParam());
  const std::map<std::string, ValueInfo> told = graph.values;
  graph.values.clear();
  for (ValueInfo& output : graph.outputs) output.shape.reset();
  infer_shapes(graph);
  size_t compared = 0;
  for (const Node& node : graph.nodes) {
    for (const std::string& name : node.outputs) {
      if (name.empty() || name == graph.outputs[0].name) continue;
      if (node.op_type == "EmbedLayerNormalization" && name != node.outputs[0]) continue;
      const auto found = graph.values.find(name);
      ASSERT_NE(found, graph.values.end()) << node.op_type << " " << name;
      const auto expected = told.find(name);
      if (expected == told.end() || !expected->second.shape) continue;
      EXPECT_EQ(found->second.type, expected->second.type) << name;
      ASSERT_EQ(found->second.shape->size(), expected->second.shape->size()) << name;
      for (size_t i = 0; i < found->second.shape->size(); ++i) {
        const auto* size = std::get_if<int64_t>(&(*expected->second.shape)[i]);
        if (size == nullptr) continue;
        EXPECT_EQ((*found->second.shape)[i], Dim(*size)) << name << " axis " << i;
        ++compared;
      }
    }
  }
  EXPECT_EQ(print(graph.outputs[0]), "float32 [batch, sequence, 16]");
  const bool tells_shapes = std::string(GetParam()).starts_with("dynamo");
  EXPECT_GE(compared, tells_shapes ? 50U : 0U);
}

INSTANTIATE_TEST_SUITE_P(Graphs, Exporter,
                         ::testing::Values("legacy11_eager", "legacy14", "legacy17", "dynamo18",
                                           "dynamo20_gelu_new", "roberta", "distilbert",
                                           "fused_eager", "ort_extended", "int8",
                                           "int8_static_inputs", "int8_ort_extended"),
                         [](const auto& each) { return std::string(each.param); });

TEST(InferShapes, NamesDimensions) {
  Graph graph = golden("dynamo18");
  graph.values.clear();
  infer_shapes(graph);
  EXPECT_EQ(shapes_of(graph, "Softmax"),
            std::vector<std::string>{"float32 [batch, 4, sequence, sequence]"});
  EXPECT_EQ(shapes_of(graph, "Erf"), std::vector<std::string>{"float32 [batch, sequence, 32]"});
}

TEST(InferShapes, LeavesTheUnknownUnknown) {
  Graph graph = testing::small_graph();
  graph.nodes.push_back(testing::make_node("Frobnicate", {"s"}, {"f"}));
  graph.nodes.push_back(testing::make_node("Concat", {"s", "s"}, {"c"}, {{"axis", int64_t{0}}}));
  infer_shapes(graph);
  EXPECT_FALSE(graph.values.contains("f"));
  EXPECT_EQ(print(graph.values.at("s")), "float32 [batch, 3]");
  EXPECT_EQ(print(graph.values.at("c")), "float32 [?, 3]");  // twice the batch
}

TEST(InferShapes, ContradictionsAreNoShapes) {
  Graph graph = testing::small_graph();
  graph.initializers["w"] = Tensor::from_floats({2}, {1, 2});
  infer_shapes(graph);
  EXPECT_FALSE(graph.values.contains("s"));
}

}  // namespace
}  // namespace embedforge
