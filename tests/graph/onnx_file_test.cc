// Files written and read back.
#include <gmock/gmock.h>

#include <cstring>

#include "graph/print.h"
#include "graph/read_onnx.h"
#include "graph/tensor.h"
#include "graph/verify.h"
#include "graph/write_onnx.h"
#include "graphs.h"

namespace embedforge {
namespace {

using testing::TemporaryFolder;

Graph rich_graph() {
  Graph graph = testing::small_graph();
  graph.initializers["a_half"] = Tensor::from<uint16_t>(DataType::kFloat16, {2}, {0x3C00, 0xC000});
  graph.initializers["b_ints"] = Tensor::from_ints({2, 2}, {1, -2, int64_t{1} << 40, 4});
  graph.initializers["c_bytes"] = Tensor::from<uint8_t>(DataType::kUint8, {3}, {1, 2, 255});
  graph.initializers["d_double"] = Tensor::from<double>(DataType::kDouble, {}, {0.1});
  graph.initializers["e_empty"] = Tensor::from_floats({0, 4}, {});
  auto branch = std::make_shared<Graph>();
  branch->name = "branch";
  branch->nodes = {testing::make_node("Neg", {"s"}, {"negative"})};
  branch->outputs = {{"negative", DataType::kFloat, std::nullopt}};
  graph.nodes.push_back(testing::make_node("If", {"flag"}, {"unused"},
                                           {{"then_branch", branch}, {"else_branch", branch}}));
  graph.initializers["flag"] = Tensor::from<uint8_t>(DataType::kBool, {}, {1});
  graph.nodes.push_back(testing::make_node("Everything", {"x", "", "w"}, {"", "z"},
                                           {{"f", 0.5F},
                                            {"i", int64_t{-7}},
                                            {"s", std::string("text\0more", 9)},
                                            {"t", Tensor::from_ints({1}, {9})},
                                            {"fs", std::vector<float>{1, 2}},
                                            {"is", std::vector<int64_t>{}},
                                            {"ss", std::vector<std::string>{"a", ""}}}));
  graph.nodes.back().domain = "test.domain";
  graph.opsets["test.domain"] = 1;
  return graph;
}

TEST(OnnxFile, EverythingComesBack) {
  const TemporaryFolder folder;
  const Graph written = rich_graph();
  write_onnx(written, folder / "m.onnx");
  const Graph graph = read_onnx(folder / "m.onnx");
  EXPECT_EQ(print(graph), print(written));
  EXPECT_EQ(graph.metadata, written.metadata);
  EXPECT_EQ(graph.opsets, written.opsets);
  EXPECT_EQ(graph.producer, "tests");
  ASSERT_EQ(graph.initializers.size(), written.initializers.size());
  for (const auto& [name, tensor] : written.initializers) {
    const Tensor& read = graph.initializers.at(name);
    EXPECT_EQ(read.type, tensor.type) << name;
    EXPECT_EQ(read.dims, tensor.dims) << name;
    EXPECT_TRUE(std::ranges::equal(read.bytes, tensor.bytes)) << name;
  }
  EXPECT_EQ(std::get<std::string>(graph.nodes.back().attributes.at("s")).size(), 9U);
}

TEST(OnnxFile, SameGraphSameBytes) {
  const TemporaryFolder folder;
  write_onnx(rich_graph(), folder / "a.onnx");
  write_onnx(read_onnx(folder / "a.onnx"), folder / "b.onnx");
  EXPECT_EQ(testing::read_file(folder / "a.onnx"), testing::read_file(folder / "b.onnx"));
}

TEST(OnnxFile, InitializersAreAlignedInTheFile) {
  const TemporaryFolder folder;
  for (int name_size = 1; name_size < 20; ++name_size) {  // moves what comes after it
    for (const int64_t size : {5, 27, 119, 16379}) {      // around the sizes where lengths grow
      Graph graph = rich_graph();
      graph.initializers[std::string(name_size, 'a')] =
          Tensor::from_floats({size}, std::vector<float>(size, 0.5F));
      write_onnx(graph, folder / "m.onnx");
      const std::string file = testing::read_file(folder / "m.onnx");
      // In memory that starts at a multiple of 8, as a mapped file does, a view means that no copy
      // was needed.
      auto memory = std::make_shared<std::vector<uint64_t>>(file.size() / 8 + 1);
      std::memcpy(memory->data(), file.data(), file.size());
      const auto bytes = std::as_bytes(std::span<const uint64_t>(*memory)).first(file.size());
      const Graph read = parse_onnx(bytes, memory, "memory");
      for (const auto& [name, tensor] : read.initializers) {
        if (tensor.bytes.empty()) continue;
        EXPECT_GE(tensor.bytes.data(), bytes.data()) << name << " " << name_size << " " << size;
        EXPECT_LT(tensor.bytes.data(), bytes.data() + bytes.size()) << name;
      }
    }
  }
}

TEST(OnnxFile, OverTheLimitTensorsGoBeside) {
  const TemporaryFolder folder;
  Graph graph = testing::small_graph();
  std::vector<float> values(3000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  graph.initializers["big"] = Tensor::from_floats({3000}, values);
  graph.initializers["big2"] = Tensor::from_floats({1000}, std::vector<float>(1000, 2.0F));
  write_onnx(graph, folder / "m.onnx", {.message_limit = 10000});
  EXPECT_LT(std::filesystem::file_size(folder / "m.onnx"), 1000U);
  EXPECT_EQ(std::filesystem::file_size(folder / "m.onnx.data"), 12288U + 4000U);
  const Graph read = read_onnx(folder / "m.onnx");
  EXPECT_EQ(to_floats(read.initializers.at("big")), values);
  EXPECT_EQ(to_floats(read.initializers.at("big2")), std::vector<float>(1000, 2.0F));
  EXPECT_EQ(to_floats(read.initializers.at("w")), to_floats(graph.initializers.at("w")));
}

TEST(OnnxFile, NodesComeInOrder) {
  const TemporaryFolder folder;
  Graph graph = testing::small_graph();
  write_onnx(graph, folder / "m.onnx");
  std::string file = testing::read_file(folder / "m.onnx");
  // The file's two node records, swapped: both have one size.
  const size_t add = file.find("\x0A\x01x");
  const size_t mul = file.find("\x0A\x01s");
  ASSERT_NE(add, std::string::npos);
  ASSERT_NE(mul, std::string::npos);
  const size_t size = mul - add - 2;
  const std::string first = file.substr(add, size);
  file.replace(add, size, file.substr(mul, size));
  file.replace(mul, size, first);
  testing::write_file(folder / "m.onnx", file);
  const Graph read = read_onnx(folder / "m.onnx");
  EXPECT_EQ(read.nodes[0].op_type, "Add");
  EXPECT_EQ(read.nodes[1].op_type, "Mul");
}

TEST(OnnxFile, WriteRefusesWhatIsNoGraph) {
  const TemporaryFolder folder;
  Graph graph = testing::small_graph();
  graph.nodes.pop_back();
  testing::expect_error(ErrorCode::kBadInput, {"m.onnx", "'y'"},
                        [&] { write_onnx(graph, folder / "m.onnx"); });
  EXPECT_FALSE(std::filesystem::exists(folder / "m.onnx"));
}

TEST(Tensor, HalfPrecisionRoundTripsAndRounds) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    if ((bits & 0x7C00U) == 0x7C00U && (bits & 0x3FFU) != 0) continue;  // NaN
    EXPECT_EQ(float_to_half(half_to_float(half)), half);
    if ((bits & 0x7F80U) == 0x7F80U) continue;
    EXPECT_EQ(float_to_bfloat16(bfloat16_to_float(half)), half);
  }
  EXPECT_EQ(half_to_float(0x3555), 0.333251953125F);
  EXPECT_EQ(float_to_half(65519.0F), 0x7BFF);
  EXPECT_EQ(float_to_half(65520.0F), 0x7C00);
  EXPECT_EQ(float_to_half(1.0F + 1.0F / 2048), 0x3C00);  // a tie goes to even
  EXPECT_EQ(float_to_half(1.0F + 3.0F / 2048), 0x3C02);
  EXPECT_EQ(float_to_half(2.98e-8F), 0x0000);
  EXPECT_EQ(float_to_half(2.99e-8F), 0x0001);
}

}  // namespace
}  // namespace embedforge
