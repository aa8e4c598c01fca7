// Small graphs for the tests.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "embedforge/error.h"
#include "graph/graph.h"

namespace embedforge::testing {

/// A folder that goes away with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "embedforge-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline Node make_node(const std::string& op, std::vector<std::string> inputs,
                      std::vector<std::string> outputs,
                      std::map<std::string, Attribute> attributes = {}) {
  return {op + "_" + outputs.front(), op, "", std::move(inputs), std::move(outputs),
          std::move(attributes)};
}

/// y = (x + w) * w, x and y float [batch, 3].
inline Graph small_graph() {
  Graph graph;
  graph.name = "small";
  graph.opsets[""] = 17;
  graph.producer = "tests";
  graph.metadata["kept"] = "0.9999";
  const std::vector<Dim> shape = {std::string("batch"), int64_t{3}};
  graph.inputs = {{"x", DataType::kFloat, shape}};
  graph.outputs = {{"y", DataType::kFloat, shape}};
  graph.initializers["w"] = Tensor::from_floats({3}, {1.5F, -2.0F, 0.25F});
  graph.nodes = {make_node("Add", {"x", "w"}, {"s"}), make_node("Mul", {"s", "w"}, {"y"})};
  return graph;
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline void write_file(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// Runs `action`, which must throw an Error of this code whose one line has every one of the
/// `parts`.
template <typename Action>
void expect_error(ErrorCode code, const std::vector<std::string>& parts, Action action) {
  try {
    action();
    FAIL() << "no error; expected one with: " << (parts.empty() ? "" : parts.front());
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.code(), code) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    for (const std::string& part : parts) {
      EXPECT_NE(message.find(part), std::string::npos) << message << "\nlacks: " << part;
    }
  }
}

}  // namespace embedforge::testing
