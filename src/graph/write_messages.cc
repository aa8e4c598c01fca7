#include "graph/write_messages.h"

#include <string>

#include "graph/onnx_fields.h"

namespace embedforge {
namespace {

Message entry_message(const std::string& key, const std::string& value) {
  Message out;
  out.add_string(onnx::EntryField::kKey, key);
  out.add_string(onnx::EntryField::kValue, value);
  return out;
}

Message tensor_header(const std::string& name, const Tensor& tensor) {
  Message out;
  for (const int64_t dim : tensor.dims) out.add_int(onnx::TensorField::kDims, dim);
  out.add_int(onnx::TensorField::kDataType, static_cast<int64_t>(tensor.type));
  if (!name.empty()) out.add_string(onnx::TensorField::kName, name);
  return out;
}

/// read_tensor() keeps strings as 8 bytes of length and then the text, for each.
void add_strings(const Tensor& tensor, Message& out) {
  std::span<const std::byte> rest = tensor.bytes;
  while (rest.size() >= 8) {
    uint64_t size = 0;
    for (size_t i = 0; i < 8; ++i) size |= std::to_integer<uint64_t>(rest[i]) << (8 * i);
    rest = rest.subspan(8);
    out.add_string(onnx::TensorField::kStringData,
                   {reinterpret_cast<const char*>(rest.data()), size});
    rest = rest.subspan(size);
  }
}

/// A whole GraphProto, for subgraphs.
Message subgraph_message(const Graph& graph) {
  Message out = graph_message_without_initializers(graph);
  for (const auto& [name, tensor] : graph.initializers) {
    out.add_message(onnx::GraphField::kInitializer, tensor_message(name, tensor, 0));
  }
  return out;
}

struct AttributeWriter {
  Message& out;

  void type(int32_t type) const { out.add_int(onnx::AttributeField::kType, type); }

  void operator()(int64_t value) const {
    out.add_int(onnx::AttributeField::kInt, value);
    type(onnx::AttributeType::kInt);
  }
  void operator()(float value) const {
    out.add_float(onnx::AttributeField::kFloat, value);
    type(onnx::AttributeType::kFloat);
  }
  void operator()(const std::string& value) const {
    out.add_string(onnx::AttributeField::kString, value);
    type(onnx::AttributeType::kString);
  }
  void operator()(const Tensor& value) const {
    out.add_message(onnx::AttributeField::kTensor, tensor_message("", value, 0));
    type(onnx::AttributeType::kTensor);
  }
  void operator()(const std::vector<int64_t>& values) const {
    for (const int64_t value : values) out.add_int(onnx::AttributeField::kInts, value);
    type(onnx::AttributeType::kInts);
  }
  void operator()(const std::vector<float>& values) const {
    for (const float value : values) out.add_float(onnx::AttributeField::kFloats, value);
    type(onnx::AttributeType::kFloats);
  }
  void operator()(const std::vector<std::string>& values) const {
    for (const std::string& value : values) out.add_string(onnx::AttributeField::kStrings, value);
    type(onnx::AttributeType::kStrings);
  }
  void operator()(const std::shared_ptr<Graph>& value) const {
    out.add_message(onnx::AttributeField::kGraph, subgraph_message(*value));
    type(onnx::AttributeType::kGraph);
  }
};

Message shape_message(const std::vector<Dim>& shape) {
  Message out;
  for (const Dim& dim : shape) {
    Message dimension;
    if (const auto* size = std::get_if<int64_t>(&dim)) {
      dimension.add_int(onnx::ValueField::kDimValue, *size);
    } else if (const auto& name = std::get<std::string>(dim); !name.empty()) {
      dimension.add_string(onnx::ValueField::kDimParam, name);
    }
    out.add_message(onnx::ValueField::kDim, std::move(dimension));
  }
  return out;
}

}  // namespace

Message tensor_message(const std::string& name, const Tensor& tensor, size_t padding) {
  Message out = tensor_header(name, tensor);
  if (padding >= 2) out.add_string(onnx::TensorField::kDocString, std::string(padding - 2, ' '));
  if (tensor.type == DataType::kString) {
    add_strings(tensor, out);
  } else {
    out.add_borrowed(onnx::TensorField::kRawData, tensor.bytes);
  }
  return out;
}

Message external_tensor_message(const std::string& name, const Tensor& tensor,
                                const std::string& file, uint64_t offset) {
  Message out = tensor_header(name, tensor);
  const auto add = [&](const std::string& key, const std::string& value) {
    out.add_message(onnx::TensorField::kExternalData, entry_message(key, value));
  };
  add("location", file);
  add("offset", std::to_string(offset));
  add("length", std::to_string(tensor.bytes.size()));
  out.add_int(onnx::TensorField::kDataLocation, onnx::TensorField::kExternal);
  return out;
}

Message value_message(const ValueInfo& value) {
  Message out;
  out.add_string(onnx::ValueField::kName, value.name);
  if (value.type == DataType::kUndefined) return out;
  Message tensor;
  tensor.add_int(onnx::ValueField::kElementType, static_cast<int64_t>(value.type));
  if (value.shape) tensor.add_message(onnx::ValueField::kShape, shape_message(*value.shape));
  Message type;
  type.add_message(onnx::ValueField::kTensorType, std::move(tensor));
  out.add_message(onnx::ValueField::kType, std::move(type));
  return out;
}

Message node_message(const Node& node) {
  Message out;
  for (const std::string& name : node.inputs) out.add_string(onnx::NodeField::kInput, name);
  for (const std::string& name : node.outputs) out.add_string(onnx::NodeField::kOutput, name);
  if (!node.name.empty()) out.add_string(onnx::NodeField::kName, node.name);
  out.add_string(onnx::NodeField::kOpType, node.op_type);
  for (const auto& [name, value] : node.attributes) {
    Message attribute;
    attribute.add_string(onnx::AttributeField::kName, name);
    std::visit(AttributeWriter{attribute}, value);
    out.add_message(onnx::NodeField::kAttribute, std::move(attribute));
  }
  if (!node.domain.empty()) out.add_string(onnx::NodeField::kDomain, node.domain);
  return out;
}

Message graph_message_without_initializers(const Graph& graph) {
  Message out;
  for (const Node& node : graph.nodes) {
    out.add_message(onnx::GraphField::kNode, node_message(node));
  }
  out.add_string(onnx::GraphField::kName, graph.name.empty() ? "graph" : graph.name);
  for (const ValueInfo& value : graph.inputs) {
    out.add_message(onnx::GraphField::kInput, value_message(value));
  }
  for (const ValueInfo& value : graph.outputs) {
    out.add_message(onnx::GraphField::kOutput, value_message(value));
  }
  for (const auto& [name, value] : graph.values) {
    out.add_message(onnx::GraphField::kValueInfo, value_message(value));
  }
  return out;
}

}  // namespace embedforge
