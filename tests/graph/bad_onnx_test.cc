// Files that are damaged, contradictory or hostile: one clear line, never a crash (run under ASan
// and UBSan too).
#include <gtest/gtest.h>

#include <cstring>

#include "graph/onnx_fields.h"
#include "graph/order_nodes.h"
#include "graph/read_onnx.h"
#include "graph/write_messages.h"
#include "graphs.h"

namespace embedforge {
namespace {

using testing::expect_error;
using testing::TemporaryFolder;

std::string text_of(const Message& message) {
  std::string out;
  for (const Message::Piece& piece : message.pieces()) {
    out += piece.own;
    out.append(reinterpret_cast<const char*>(piece.borrowed.data()), piece.borrowed.size());
  }
  return out;
}

/// A model file of the graph as it is, valid or not, with more records in its GraphProto.
std::string model_bytes(const Graph& graph, const std::string& more = "") {
  Message graph_message = graph_message_without_initializers(graph);
  for (const auto& [name, tensor] : graph.initializers) {
    graph_message.add_message(onnx::GraphField::kInitializer, tensor_message(name, tensor, 0));
  }
  graph_message.add_records(std::as_bytes(std::span(more)));
  Message model;
  model.add_int(onnx::Model::kIrVersion, 8);
  for (const auto& [domain, version] : graph.opsets) {
    Message opset;
    opset.add_string(onnx::OpsetField::kDomain, domain);
    opset.add_int(onnx::OpsetField::kVersion, version);
    model.add_message(onnx::Model::kOpsetImport, std::move(opset));
  }
  model.add_message(onnx::Model::kGraph, std::move(graph_message));
  return text_of(model);
}

Graph parse(const std::string& bytes) {
  auto memory = std::make_shared<std::string>(bytes);
  const auto view = std::as_bytes(std::span(*memory));
  return parse_onnx(view, memory, "model.onnx");
}

/// An initializer 'w' of `dims` whose raw data are `size` zero bytes.
std::string initializer(const std::vector<int64_t>& dims, size_t size, int type = 1) {
  Message tensor;
  for (const int64_t dim : dims) tensor.add_int(onnx::TensorField::kDims, dim);
  tensor.add_int(onnx::TensorField::kDataType, type);
  tensor.add_string(onnx::TensorField::kName, "w");
  tensor.add_string(onnx::TensorField::kRawData, std::string(size, '\0'));
  Message out;
  out.add_message(onnx::GraphField::kInitializer, std::move(tensor));
  return text_of(out);
}

Graph without_w() {
  Graph graph = testing::small_graph();
  graph.initializers.clear();
  return graph;
}

TEST(BadOnnx, CutAtEveryByte) {
  const std::string whole = model_bytes(testing::small_graph());
  ASSERT_NO_THROW(parse(whole));
  for (size_t size = 0; size < whole.size(); ++size) {
    expect_error(ErrorCode::kBadInput, {"model.onnx"}, [&] { parse(whole.substr(0, size)); });
  }
}

TEST(BadOnnx, EveryByteChanged) {
  const std::string whole = model_bytes(testing::small_graph());
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const int value : {0x00, 0x01, 0x7F, 0x80, 0xFF}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(value);
      try {
        parse(changed);
      } catch (const Error& error) {
        EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      }
    }
  }
}

TEST(BadOnnx, NotAModel) {
  const TemporaryFolder folder;
  expect_error(ErrorCode::kBadInput, {"none.onnx"}, [&] { read_onnx(folder / "none.onnx"); });
  expect_error(ErrorCode::kBadInput, {}, [&] { read_onnx(folder.path()); });
  testing::write_file(folder / "empty.onnx", "");
  expect_error(ErrorCode::kBadInput, {"empty.onnx", "empty"},
               [&] { read_onnx(folder / "empty.onnx"); });
  testing::write_file(folder / "page.onnx", "<!DOCTYPE html><html></html>");
  expect_error(ErrorCode::kBadInput, {"page.onnx"}, [&] { read_onnx(folder / "page.onnx"); });
  testing::write_file(folder / "lfs.onnx",
                      "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
  expect_error(ErrorCode::kBadInput, {"lfs.onnx", "git lfs pull"},
               [&] { read_onnx(folder / "lfs.onnx"); });
}

TEST(BadOnnx, ACycle) {
  Graph graph = testing::small_graph();
  graph.nodes[0].inputs[1] = "t";
  graph.nodes.push_back(testing::make_node("Neg", {"s"}, {"t"}));
  expect_error(ErrorCode::kBadInput, {"cycle", "node '"}, [&] { parse(model_bytes(graph)); });
  graph = testing::small_graph();
  graph.nodes[0].inputs[0] = "s";  // of itself
  expect_error(ErrorCode::kBadInput, {"cycle", "Add_s"}, [&] { parse(model_bytes(graph)); });
}

TEST(BadOnnx, Definitions) {
  Graph graph = testing::small_graph();
  graph.nodes[0].inputs[1] = "nowhere";
  expect_error(ErrorCode::kBadInput, {"Add_s", "'nowhere'"}, [&] { parse(model_bytes(graph)); });
  graph = testing::small_graph();
  graph.nodes[1].outputs[0] = "s";
  expect_error(ErrorCode::kBadInput, {"'s'", "twice"}, [&] { parse(model_bytes(graph)); });
  graph = testing::small_graph();
  graph.nodes[0].outputs[0] = "x";
  expect_error(ErrorCode::kBadInput, {"'x'", "twice"}, [&] { parse(model_bytes(graph)); });
  graph = testing::small_graph();
  graph.outputs[0].name = "dangling";
  expect_error(ErrorCode::kBadInput, {"'dangling'"}, [&] { parse(model_bytes(graph)); });
  graph = testing::small_graph();
  graph.opsets.clear();
  expect_error(ErrorCode::kBadInput, {"opset"}, [&] { parse(model_bytes(graph)); });
  graph = testing::small_graph();
  graph.nodes[0].domain = "com.example";
  expect_error(ErrorCode::kBadInput, {"com.example", "Add_s"}, [&] { parse(model_bytes(graph)); });
  const std::string twice = model_bytes(testing::small_graph(), initializer({3}, 12));
  expect_error(ErrorCode::kBadInput, {"'w'"}, [&] { parse(twice); });
}

TEST(BadOnnx, TensorsThatDoNotFitTheirShape) {
  const auto read = [](const std::vector<int64_t>& dims, size_t size, int type = 1) {
    parse(model_bytes(without_w(), initializer(dims, size, type)));
  };
  ASSERT_NO_THROW(read({3}, 12));
  expect_error(ErrorCode::kBadInput, {"'w'", "16 bytes"}, [&] { read({4}, 12); });
  expect_error(ErrorCode::kBadInput, {"'w'"}, [&] { read({3}, 13); });
  expect_error(ErrorCode::kBadInput, {"'w'"}, [&] { read({-3}, 12); });
  expect_error(ErrorCode::kBadInput, {"'w'"}, [&] {
    read({int64_t{1} << 40, int64_t{1} << 40}, 12);
  });
  expect_error(ErrorCode::kBadInput, {"'w'"}, [&] { read({int64_t{1} << 61}, 12); });
  expect_error(ErrorCode::kNotSupported, {"'w'", "17"}, [&] { read({12}, 12, 17); });  // float8
  expect_error(ErrorCode::kNotSupported, {"'w'"}, [&] { read({12}, 12, 0); });
}

TEST(BadOnnx, ATensorThatClaimsMoreThanTheFile) {
  std::string whole = model_bytes(testing::small_graph());
  const size_t raw = whole.find(std::string("\x4A\x0C", 2));  // raw_data of 12 bytes
  ASSERT_NE(raw, std::string::npos);
  whole[raw + 1] = '\x7F';
  expect_error(ErrorCode::kBadInput, {"model.onnx", "initializer"}, [&] { parse(whole); });
}

TEST(BadOnnx, SparseInitializers) {
  Message sparse;
  sparse.add_string(onnx::GraphField::kSparseInitializer, "");
  expect_error(ErrorCode::kNotSupported, {"sparse"},
               [&] { parse(model_bytes(testing::small_graph(), text_of(sparse))); });
}

TEST(BadOnnx, SubgraphsWithoutEnd) {
  auto inner = std::make_shared<Graph>(testing::small_graph());
  for (int depth = 0; depth < 40; ++depth) {
    auto outer = std::make_shared<Graph>();
    outer->nodes = {testing::make_node("If", {}, {"y"}, {{"then_branch", inner}})};
    outer->outputs = {{"y", DataType::kFloat, std::nullopt}};
    inner = outer;
  }
  inner->opsets[""] = 17;
  expect_error(ErrorCode::kBadInput, {"deep"}, [&] { parse(model_bytes(*inner)); });
}

class ExternalFiles : public ::testing::Test {
 protected:
  /// A model whose initializer 'w' is 12 bytes at `offset` of `location`.
  void write_model(const std::filesystem::path& path, const std::string& location, uint64_t offset,
                   const std::string& length = "12") {
    Message tensor;
    tensor.add_int(onnx::TensorField::kDims, 3);
    tensor.add_int(onnx::TensorField::kDataType, 1);
    tensor.add_string(onnx::TensorField::kName, "w");
    const std::vector<std::pair<std::string, std::string>> entries = {
        {"location", location}, {"offset", std::to_string(offset)}, {"length", length}};
    for (const auto& [key, value] : entries) {
      Message entry;
      entry.add_string(onnx::EntryField::kKey, key);
      entry.add_string(onnx::EntryField::kValue, value);
      tensor.add_message(onnx::TensorField::kExternalData, std::move(entry));
    }
    tensor.add_int(onnx::TensorField::kDataLocation, onnx::TensorField::kExternal);
    Message record;
    record.add_message(onnx::GraphField::kInitializer, std::move(tensor));
    testing::write_file(path, model_bytes(without_w(), text_of(record)));
  }
  TemporaryFolder folder_;
};

TEST_F(ExternalFiles, AreReadInPlace) {
  const std::vector<float> values = {9, 1.5F, -2, 0.25F};
  std::string bytes(16, '\0');
  std::memcpy(bytes.data(), values.data(), 16);
  testing::write_file(folder_ / "data", bytes);
  write_model(folder_ / "m.onnx", "data", 4);
  const Graph graph = read_onnx(folder_ / "m.onnx");
  EXPECT_EQ(graph.initializers.at("w").as<float>()[0], 1.5F);
  EXPECT_EQ(graph.initializers.at("w").as<float>()[2], 0.25F);
}

TEST_F(ExternalFiles, StayInTheModelsFolder) {
  std::filesystem::create_directory(folder_ / "model");
  testing::write_file(folder_ / "secret", std::string(100, 'x'));
  const auto read = [&] { read_onnx(folder_ / "model/m.onnx"); };
  for (const std::string location : {"../secret", "a/../../secret", "", "/etc/passwd", ".."}) {
    write_model(folder_ / "model/m.onnx", location, 0);
    expect_error(ErrorCode::kBadInput, {"m.onnx", "'w'", "folder"}, read);
  }
  std::filesystem::create_symlink(folder_ / "secret", folder_ / "model/link");
  write_model(folder_ / "model/m.onnx", "link", 0);
  expect_error(ErrorCode::kBadInput, {"'w'", "folder"}, read);
}

TEST_F(ExternalFiles, FollowTheLinksOfAHubCache) {
  for (const char* name : {"blobs", "snapshots", "snapshots/main", "snapshots/main/onnx"}) {
    std::filesystem::create_directory(folder_ / name);
  }
  write_model(folder_ / "blobs/1111", "model.onnx_data", 0);
  testing::write_file(folder_ / "blobs/2222", std::string(12, '\0'));
  std::filesystem::create_symlink("../../../blobs/1111",
                                  folder_ / "snapshots/main/onnx/model.onnx");
  std::filesystem::create_symlink("../../../blobs/2222",
                                  folder_ / "snapshots/main/onnx/model.onnx_data");
  const Graph graph = read_onnx(folder_ / "snapshots/main/onnx/model.onnx");
  EXPECT_EQ(graph.initializers.at("w").as<float>()[0], 0.0F);
}

TEST_F(ExternalFiles, HaveWhatTheShapeNeeds) {
  testing::write_file(folder_ / "data", std::string(15, '\0'));
  const auto read = [&] { read_onnx(folder_ / "m.onnx"); };
  write_model(folder_ / "m.onnx", "data", 4);
  expect_error(ErrorCode::kBadInput, {"'w'", "too short"}, read);
  write_model(folder_ / "m.onnx", "data", UINT64_MAX - 3);
  expect_error(ErrorCode::kBadInput, {"'w'", "too short"}, read);
  write_model(folder_ / "m.onnx", "data", 0, "11");
  expect_error(ErrorCode::kBadInput, {"'w'", "12"}, read);
  write_model(folder_ / "m.onnx", "data", 0, "12 bytes");
  expect_error(ErrorCode::kBadInput, {"12 bytes"}, read);
  write_model(folder_ / "m.onnx", "other", 0);
  expect_error(ErrorCode::kBadInput, {"'w'", "missing"}, read);
}

}  // namespace
}  // namespace embedforge
