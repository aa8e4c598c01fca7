// What raise() must refuse: graphs that look like an encoder and compute something else.
#include <gtest/gtest.h>

#include <filesystem>

#include "embedforge/error.h"
#include "graph/read_onnx.h"
#include "graph/tensor.h"
#include "plan/raise.h"

namespace embedforge {
namespace {

Graph read(const std::string& name) {
  return read_onnx(std::filesystem::path(EMBEDFORGE_TEST_DATA) / "graphs" / (name + ".onnx"));
}

Node& first(Graph& graph, const std::string& op) {
  for (Node& node : graph.nodes) {
    if (node.op_type == op) return node;
  }
  throw std::logic_error("no " + op);
}

void expect_refusal(const Graph& graph, const std::vector<std::string>& parts) {
  try {
    raise(graph);
    ADD_FAILURE() << "raised; expected a refusal with: " << parts.front();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotSupported) << error.what();
    for (const std::string& part : parts) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
          << error.what() << "\nlacks: " << part;
    }
  }
}

TEST(Refusal, AnUnknownOperator) {
  Graph graph = read("legacy17");
  Node& erf = first(graph, "Erf");
  erf.op_type = "Frobnicate";
  expect_refusal(graph, {erf.name, "Frobnicate"});
}

TEST(Refusal, AnUnknownActivation) {
  Graph graph = read("legacy17");
  first(graph, "Erf").op_type = "Tanh";  // 0.5 x (1 + tanh(x / sqrt(2))): close to GELU, but none
  expect_refusal(graph, {"scalar function"});
}

TEST(Refusal, AMaskTheWrongWayRound) {
  Graph graph = read("legacy11_eager");
  Node& cast = first(graph, "Cast");
  cast.op_type = "Not";  // of attention_mask
  cast.attributes.clear();
  graph.inputs[1].type = DataType::kInt64;
  expect_refusal(graph, {"padding"});
}

TEST(Refusal, NoMaskAtAll) {
  Graph graph = read("legacy11_eager");
  for (Node& node : graph.nodes) {  // scores + mask becomes scores + 0
    if (node.op_type != "Softmax") continue;
    for (Node& add : graph.nodes) {
      if (!add.outputs.empty() && add.outputs[0] == node.inputs[0]) {
        graph.initializers["zero"] = Tensor::from_floats({}, {0});
        add.inputs[1] = "zero";
      }
    }
  }
  expect_refusal(graph, {"padding", "Softmax"});
}

TEST(Refusal, SoftmaxOverTheQueries) {
  Graph graph = read("dynamo18");
  Node& softmax = first(graph, "Softmax");
  softmax.attributes["axis"] = int64_t{-2};
  expect_refusal(graph, {softmax.name, "keys"});
}

TEST(Refusal, AFixedShape) {
  Graph graph = read("legacy17");
  graph.inputs[0].shape = std::vector<Dim>{int64_t{1}, int64_t{128}};
  expect_refusal(graph, {"input_ids", "dynamic axes"});
}

TEST(Refusal, AnInputOfAnotherKindOfModel) {
  Graph graph = read("legacy17");
  for (Node& node : graph.nodes) {
    for (std::string& name : node.inputs) {
      if (name == "token_type_ids") name = "pixel_values";
    }
  }
  graph.inputs[2].name = "pixel_values";
  expect_refusal(graph, {"pixel_values"});
}

TEST(Refusal, PoolingOverPadding) {
  Graph graph = read("sentence_mean");
  for (Node& node : graph.nodes) {  // the sum of all tokens instead of the masked ones
    if (node.op_type != "ReduceSum") continue;
    node.inputs[0] = "token_embeddings";
    break;
  }
  expect_refusal(graph, {"padding", "ReduceSum"});
}

TEST(Refusal, NotAnEncoder) {
  Graph graph;
  graph.opsets[""] = 17;
  graph.inputs = {{"input_ids", DataType::kInt64, std::nullopt}};
  graph.outputs = {{"y", DataType::kInt64, std::nullopt}};
  graph.nodes = {{"n", "Identity", "", {"input_ids"}, {"y"}, {}}};
  expect_refusal(graph, {"token embeddings"});
}

}  // namespace
}  // namespace embedforge
