#include "graph/write_onnx.h"

#include <optional>
#include <string>
#include <utility>

#include "base/atomic_file.h"
#include "embedforge/error.h"
#include "graph/onnx_fields.h"
#include "graph/tensor.h"
#include "graph/verify.h"
#include "graph/wire.h"
#include "graph/write_messages.h"

namespace embedforge {
namespace {

void write_pieces(const Message& message, AtomicFile& file) {
  for (const Message::Piece& piece : message.pieces()) {
    file.write(std::string_view(piece.own));
    if (!piece.borrowed.empty()) file.write(piece.borrowed);
  }
}

/// ModelProto's fields before and after the graph.
Message model_header(const Graph& graph) {
  Message out;
  out.add_int(onnx::Model::kIrVersion, graph.ir_version);
  if (!graph.producer.empty()) out.add_string(onnx::Model::kProducerName, graph.producer);
  if (!graph.producer_version.empty()) {
    out.add_string(onnx::Model::kProducerVersion, graph.producer_version);
  }
  return out;
}

Message model_trailer(const Graph& graph) {
  Message out;
  for (const auto& [domain, version] : graph.opsets) {
    Message opset;
    opset.add_string(onnx::OpsetField::kDomain, domain);
    opset.add_int(onnx::OpsetField::kVersion, version);
    out.add_message(onnx::Model::kOpsetImport, std::move(opset));
  }
  for (const auto& [key, value] : graph.metadata) {
    Message entry;
    entry.add_string(onnx::EntryField::kKey, key);
    entry.add_string(onnx::EntryField::kValue, value);
    out.add_message(onnx::Model::kMetadata, std::move(entry));
  }
  out.add_records(graph.functions);
  return out;
}

/// Bytes of doc_string (0, or 2 and more) that align the data of an initializer whose record starts
/// at `at`. Padding counts twice: by itself, and where it makes the record's length one byte
/// longer.
size_t padding_for(const Tensor& tensor, uint64_t at, uint64_t message_size) {
  const uint64_t alignment = element_size(tensor.type);
  if (tensor.bytes.empty() || alignment <= 1) return 0;
  const auto is_aligned = [&](uint64_t padding) {
    const uint64_t size = message_size + padding;
    return (at + 1 + Message::varint_size(size) + size - tensor.bytes.size()) % alignment == 0;
  };
  size_t padding = 0;
  while (!is_aligned(padding)) padding = padding == 0 ? 2 : padding + 1;
  return padding;
}

/// The initializers as records of a GraphProto whose content starts at `start` in the file.
Message initializer_records(const Graph& graph, uint64_t start) {
  Message out;
  for (const auto& [name, tensor] : graph.initializers) {
    Message message = tensor_message(name, tensor, 0);
    const size_t padding = padding_for(tensor, start + out.size(), message.size());
    if (padding != 0) message = tensor_message(name, tensor, padding);
    out.add_message(onnx::GraphField::kInitializer, std::move(message));
  }
  return out;
}

void write_model(const Graph& graph, const Message& initializers, const Message& rest,
                 const Message& header, AtomicFile& file) {
  Message graph_header;
  graph_header.add_header(onnx::Model::kGraph, initializers.size() + rest.size());
  write_pieces(header, file);
  write_pieces(graph_header, file);
  write_pieces(initializers, file);
  write_pieces(rest, file);
  write_pieces(model_trailer(graph), file);
}

uint64_t aligned(uint64_t offset) {
  return (offset + kExternalAlignment - 1) / kExternalAlignment * kExternalAlignment;
}

/// Writes the large tensors to the data file and gives the records that refer to them.
Message externalize(const Graph& graph, const std::string& file_name, AtomicFile& data) {
  const std::string zeros(kExternalAlignment, '\0');
  Message out;
  for (const auto& [name, tensor] : graph.initializers) {
    if (tensor.bytes.size() < kExternalTensor || tensor.type == DataType::kString) {
      out.add_message(onnx::GraphField::kInitializer, tensor_message(name, tensor, 0));
      continue;
    }
    const uint64_t offset = aligned(data.size());
    data.write(std::string_view(zeros).substr(0, offset - data.size()));
    data.write(tensor.bytes);
    out.add_message(onnx::GraphField::kInitializer,
                    external_tensor_message(name, tensor, file_name, offset));
  }
  return out;
}

}  // namespace

void write_onnx(const Graph& graph, const std::filesystem::path& path,
                const WriteOptions& options) {
  verify(graph, path.string());
  const Message header = model_header(graph);
  const Message rest = graph_message_without_initializers(graph);
  std::filesystem::path data_path = path;
  data_path += ".data";

  // The graph's length comes before its content and its own size depends on it, so the start is
  // found by trying.
  Message initializers;
  uint64_t start = 0;
  for (size_t length_size = 1; length_size <= 10; ++length_size) {
    start = header.size() + 1 + length_size;
    initializers = initializer_records(graph, start);
    if (Message::varint_size(initializers.size() + rest.size()) == length_size) break;
  }
  const auto total = [&] {
    return start + initializers.size() + rest.size() + model_trailer(graph).size();
  };
  AtomicFile file(path);
  std::optional<AtomicFile> data;
  if (total() > options.message_limit) {
    data.emplace(data_path);
    initializers = externalize(graph, data_path.filename().string(), *data);
    if (total() > onnx::kMessageLimit) {
      throw_not_supported(path.string() + ": over 2 GB even with its initializers in a data file");
    }
  }
  write_model(graph, initializers, rest, header, file);
  if (data) data->commit();
  file.commit();
}

}  // namespace embedforge
