// Takes: an ONNX model's content. Gives: it as a value that passes can read and change. Never: runs
// it or touches files. The vocabulary is that of onnx.proto
// (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace embedforge {

/// TensorProto.DataType, with the file format's numbers.
enum class DataType : int32_t {
  kUndefined = 0,
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kUint32 = 12,
  kUint64 = 13,
  kBfloat16 = 16,
};

/// Bytes of one element; 0 for kUndefined and kString.
size_t element_size(DataType type);
const char* data_type_name(DataType type);

/// A constant: row-major little-endian elements. Copies share the bytes, which are never changed in
/// place.
struct Tensor {
  DataType type = DataType::kUndefined;
  std::vector<int64_t> dims;
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;  // keeps the bytes alive: a mapped file or a buffer

  int64_t element_count() const;

  /// The elements as T, which must be the C++ type of `type` (bytes that are not aligned for T are
  /// copied at construction).
  template <typename T>
  std::span<const T> as() const {
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  /// A tensor with a buffer of its own.
  template <typename T>
  static Tensor from(DataType type, std::vector<int64_t> dims, std::vector<T> values) {
    auto buffer = std::make_shared<const std::vector<T>>(std::move(values));
    return {type, std::move(dims), std::as_bytes(std::span<const T>(*buffer)), buffer};
  }
  static Tensor from_floats(std::vector<int64_t> dims, std::vector<float> values);
  static Tensor from_ints(std::vector<int64_t> dims, std::vector<int64_t> values);
};

struct Graph;

/// AttributeProto's value. Subgraphs (If, Loop) are kept so that a file can be read and written
/// back unchanged.
using Attribute =
    std::variant<int64_t, float, std::string, Tensor, std::vector<int64_t>, std::vector<float>,
                 std::vector<std::string>, std::shared_ptr<Graph>>;

struct Node {
  std::string name;
  std::string op_type;
  std::string domain;                // "" is ai.onnx
  std::vector<std::string> inputs;   // "" is an optional input left out
  std::vector<std::string> outputs;  // "" is an optional output left out
  std::map<std::string, Attribute> attributes;

  int64_t int_attribute(const std::string& key, int64_t otherwise) const;
  float float_attribute(const std::string& key, float otherwise) const;
  /// nullptr when there is none of that type.
  const std::vector<int64_t>* ints_attribute(const std::string& key) const;
};

/// A dimension: a size, or a name such as "batch" ("" when nothing is known).
using Dim = std::variant<int64_t, std::string>;

struct ValueInfo {
  std::string name;
  DataType type = DataType::kUndefined;
  std::optional<std::vector<Dim>> shape;  // nullopt: not even the rank is known
};

/// A model: GraphProto with the fields of ModelProto that matter. Nodes are in topological order.
struct Graph {
  std::string name;
  std::vector<Node> nodes;
  std::map<std::string, Tensor> initializers;
  std::vector<ValueInfo> inputs;  // without those that only give an initializer's type
  std::vector<ValueInfo> outputs;
  std::map<std::string, ValueInfo> values;  // what is known of the values between nodes
  std::map<std::string, int64_t> opsets;    // domain -> version
  std::map<std::string, std::string> metadata;
  int64_t ir_version = 8;
  std::string producer;
  std::string producer_version;
  std::vector<std::byte>
      functions;  // ModelProto.functions, kept as they were, one record after another
};

}  // namespace embedforge
