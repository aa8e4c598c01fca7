// What is said of each value: docs/recognize.md's attention, and what an optimizer sees.
#include "recognize/recognize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "graph/graphs.h"
#include "graph/read_onnx.h"
#include "graph/tensor.h"
#include "recognize/view.h"

namespace embedforge::recognize {
namespace {

using testing::make_node;

Graph read(const std::string& name) {
  return read_onnx(std::filesystem::path(EMBEDFORGE_TEST_DATA) / "graphs" / (name + ".onnx"));
}

using Forms = std::map<std::string, Form>;
Forms all_forms(const Graph& graph) {
  return recognize_all(graph, make_probes(24, 14), [](const std::string&) { return std::nullopt; });
}

const Viewed& viewed(const Forms& forms, const std::string& value) {
  return std::get<Viewed>(forms.at(value));
}

bool has_axes(const Viewed& value, const std::vector<Axis>& axes) {
  return value.view.axes == axes && value.view.column == 0;
}

TEST(Recognize, FollowsTheAttentionOfTheDocumentation) {
  const Forms forms = all_forms(read("dynamo18"));
  const Axis heads = column_axis(4, 4);
  const Axis columns = column_axis(4);
  const Viewed& q = viewed(forms, "linear");
  ASSERT_NE(q.of->get<Linear>(), nullptr);
  EXPECT_TRUE(has_axes(q, {batch_axis(), sequence_axis(), column_axis(16)}));
  for (const char* moved : {"view", "transpose"}) EXPECT_EQ(viewed(forms, moved).of, q.of);
  EXPECT_TRUE(
      has_axes(viewed(forms, "transpose"), {batch_axis(), heads, sequence_axis(), columns}));
  const auto* scaled = viewed(forms, "val_100").of->get<Map>();
  ASSERT_NE(scaled, nullptr);
  EXPECT_NEAR(as_factor(scaled->values).value_or(0), std::sqrt(0.5), 1e-7);
  const Viewed& k = viewed(forms, "linear_1");
  Axis batch_and_heads = batch_axis();
  batch_and_heads.insert(batch_and_heads.end(), heads.begin(), heads.end());
  EXPECT_TRUE(has_axes(viewed(forms, "val_95"), {batch_and_heads, sequence_axis(), columns}));
  EXPECT_TRUE(has_axes(viewed(forms, "val_98"), {batch_axis(), heads, columns, sequence_axis()}));

  const auto& mask = std::get<Known>(forms.at("val_105"));
  EXPECT_EQ(mask.at[0].dims, (std::vector<int64_t>{2, 1, 5, 5}));
  EXPECT_EQ(to_doubles(mask.at[0])[27], 0);
  EXPECT_LT(to_doubles(mask.at[0])[28], -3.4e38);

  const auto* scores = viewed(forms, "val_107").of->get<Scores>();
  ASSERT_NE(scores, nullptr);
  EXPECT_EQ(scores->q.of, q.of);
  EXPECT_EQ(scores->k.of, k.of);
  EXPECT_EQ(scores->heads, 4);
  EXPECT_NEAR(scores->scale, 0.5, 1e-7);
  ASSERT_EQ(scores->maskings.size(), 1U);
  EXPECT_EQ(scores->maskings[0].value, "val_105");
  EXPECT_EQ(scores->maskings[0].kind, Masking::Kind::kPadding);

  EXPECT_EQ(viewed(forms, "val_110").of, viewed(forms, "val_108").of);  // behind the guard
  const auto* context = viewed(forms, "view_4").of->get<Context>();
  ASSERT_NE(context, nullptr);
  EXPECT_EQ(context->v.of, viewed(forms, "linear_2").of);
  EXPECT_TRUE(has_axes(viewed(forms, "view_4"), token_view(16).axes));
}

/// y = Erf(Wobble(x)), of a domain that nobody knows.
Graph strange_graph() {
  Graph graph = testing::small_graph();
  graph.nodes = {make_node("Wobble", {"x"}, {"a"}), make_node("Erf", {"a"}, {"y"})};
  graph.nodes[0].domain = "org.example";
  return graph;
}

TEST(Recognize, AnUnknownValueSaysWhy) {
  const Forms forms = recognize(strange_graph(), make_probes(0, 0));
  EXPECT_NE(std::get<Unknown>(forms.at("y")).why.find("graph input 'x'"), std::string::npos);
}

TEST(Recognize, WhatFollowsAGivenValueIsRecognizedForTheOptimizer) {
  const Forms forms =
      recognize_all(strange_graph(), make_probes(0, 0), [](const std::string& value) {
        return value == "a" ? std::optional(sequence_view(3)) : std::nullopt;
      });
  const Viewed& y = viewed(forms, "y");
  ASSERT_NE(y.of->get<Map>(), nullptr);
  EXPECT_EQ(y.of->get<Map>()->in->get<Given>()->name, "a");
}

}  // namespace
}  // namespace embedforge::recognize
