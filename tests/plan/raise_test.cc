// raise() on what the exporters write (tests/exporters/make_graphs.py --layers 1 --hidden 16),
// proven by the numbers that ONNX Runtime computed from the same files.
#include "plan/raise.h"

#include <gtest/gtest.h>

#include <string>

#include "graph/read_onnx.h"
#include "plan/golden_graphs.h"
#include "plan/interpret_program.h"

namespace embedforge {
namespace {

using testing::Expected;
using testing::flat;
using testing::kGraphs;
using testing::largest_difference;
using testing::read_expected;

/// One letter a step: Embed, Norm, Linear, Add, Gate, aTtention, Pool.
std::string letters(const Program& program) {
  std::string out;
  for (const Step& step : program.steps) out += "ENLAGHT"[step.index()];
  return out + (program.head.empty() ? "" : "P");
}

struct Case {
  const char* name;
  const char* steps;
  double tolerance = 5e-6;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class Float : public ::testing::TestWithParam<Case> {};
class Quantized : public ::testing::TestWithParam<Case> {};

constexpr const char* kLayer = "ENLTLANLLAN";

TEST_P(Float, ComputesWhatOnnxRuntimeDoes) {
  const std::string name = GetParam().name;
  const Program program = raise(read_onnx(kGraphs / (name + ".onnx")));
  EXPECT_EQ(letters(program), GetParam().steps);
  const Expected expected = read_expected(name);
  const std::vector<float> values = flat(testing::interpret(program, expected.batch));
  ASSERT_EQ(values.size(), expected.values.size());
  EXPECT_LT(largest_difference(values, expected.values, 0, values.size()), 5e-6);
}

INSTANTIATE_TEST_SUITE_P(
    Exporters, Float,
    ::testing::Values(Case{"legacy11_eager", kLayer}, Case{"legacy14", kLayer},
                      Case{"legacy17", kLayer}, Case{"legacy17_no_types", kLayer},
                      Case{"legacy17_long", kLayer}, Case{"dynamo18", kLayer},
                      Case{"dynamo20_gelu_new", kLayer}, Case{"dynamo23", kLayer},
                      Case{"roberta", kLayer}, Case{"distilbert", kLayer},
                      Case{"electra_small", "ENLLTLANLLAN"}, Case{"fused_eager", kLayer},
                      Case{"ort_extended", kLayer}, Case{"sentence_mean", "ENLTLANLLANP"},
                      Case{"sentence_dynamo", "ENLTLANLLANP"}),
    [](const auto& each) { return std::string(each.param.name); });

/// ONNX Runtime takes the range of dynamic quantization from the whole input, a program from each
/// token: the same where the input is one token, which the last sequence is.
TEST_P(Quantized, ComputesWhatOnnxRuntimeDoesForOneToken) {
  const std::string name = GetParam().name;
  const Program program = raise(read_onnx(kGraphs / (name + ".onnx")));
  EXPECT_EQ(letters(program), GetParam().steps);
  const Expected expected = read_expected(name);
  ASSERT_EQ(expected.batch.ids.back().size(), 1U);
  const std::vector<float> values = flat(testing::interpret(program, expected.batch, true));
  ASSERT_EQ(values.size(), expected.values.size());
  const auto width = program.hidden_size;
  EXPECT_LT(largest_difference(values, expected.values, values.size() - width, values.size()),
            GetParam().tolerance);
  EXPECT_LT(largest_difference(values, expected.values, 0, values.size()), 0.05);
}

INSTANTIATE_TEST_SUITE_P(Exporters, Quantized,
                         ::testing::Values(Case{"int8", kLayer}, Case{"int8_fused_eager", kLayer},
                                           Case{"int8_ort_extended", kLayer},
                                           Case{"int8_static_inputs", kLayer, 0.03}),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(Raise, SaysWhatTheModelTakes) {
  const Program program = raise(read_onnx(kGraphs / "roberta.onnx"));
  EXPECT_EQ(program.hidden_size, 16U);
  EXPECT_EQ(program.vocabulary, 40U);
  EXPECT_EQ(program.max_positions, 46U);  // 48 rows, of which the first two are for padding
  EXPECT_TRUE(program.head.empty());
  const auto& embed = std::get<EmbedStep>(program.steps.front());
  ASSERT_EQ(embed.tables.size(), 3U);
  int64_t offset = 0;
  for (const EmbedStep::Table& table : embed.tables) {
    if (table.source == EmbedStep::Source::kPosition) offset = table.offset;
  }
  EXPECT_EQ(offset, 2);
}

TEST(Raise, StaticQuantizationKeepsTheFilesScales) {
  const Graph graph = read_onnx(kGraphs / "int8_static_inputs.onnx");
  const Program program = raise(graph);
  const auto& qkv = std::get<LinearStep>(program.steps.at(2));
  const Int8Format& format = *qkv.weight.int8();
  ASSERT_TRUE(format.activation.has_value());
  EXPECT_FALSE(format.activation->dynamic);
  const std::string norm = "/m/embeddings/LayerNorm/LayerNormalization_output_0";
  EXPECT_EQ(format.activation->scale, graph.initializers.at(norm + "_scale").as<float>()[0]);
  EXPECT_EQ(format.activation->zero_point,
            graph.initializers.at(norm + "_zero_point").as<uint8_t>()[0]);
  EXPECT_EQ(format.scales.size(), 48U);
  EXPECT_EQ(format.zero_points.size(), 48U);
  EXPECT_EQ(format.data.type, DataType::kInt8);
}

TEST(Raise, OneProductForQueryKeyAndValue) {
  const Program program = raise(read_onnx(kGraphs / "legacy17.onnx"));
  const auto& qkv = std::get<LinearStep>(program.steps.at(2));
  EXPECT_EQ(qkv.weight.k, 16);
  EXPECT_EQ(qkv.weight.n, 48);
  EXPECT_EQ(qkv.bias.size(), 48U);
  const auto& attention = std::get<AttentionStep>(program.steps.at(3));
  EXPECT_EQ(attention.q, qkv.out);
  EXPECT_EQ(attention.v, qkv.out);
  EXPECT_EQ(attention.k_column, 16);
  EXPECT_EQ(attention.v_column, 32);
  EXPECT_EQ(attention.heads, 4U);
  EXPECT_FLOAT_EQ(attention.scale, 0.5F);
}

}  // namespace
}  // namespace embedforge
