#include "graph/read_onnx.h"

#include <protozero/pbf_reader.hpp>
#include <string_view>
#include <utility>

#include "base/mapped_file.h"
#include "embedforge/error.h"
#include "graph/external_data.h"
#include "graph/onnx_fields.h"
#include "graph/order_nodes.h"
#include "graph/read_records.h"
#include "graph/read_tensor.h"
#include "graph/verify.h"
#include "graph/wire.h"

namespace embedforge {
namespace {

using protozero::data_view;
using protozero::pbf_reader;

constexpr int kMaxDepth = 16;  // of subgraphs within subgraphs

class Reader {
 public:
  Reader(std::shared_ptr<const void> owner, std::string model, const std::filesystem::path& path)
      : owner_(std::move(owner)), model_(std::move(model)), external_(path) {}

  Graph read_model(data_view bytes) {
    where_ = "its outermost fields";
    pbf_reader message(bytes);
    Graph header;
    data_view graph_bytes;
    bool has_graph = false;
    while (message.next()) {
      switch (message.tag_and_type()) {
        case number(onnx::Model::kIrVersion):
          header.ir_version = message.get_int64();
          break;
        case record(onnx::Model::kProducerName):
          header.producer = message.get_string();
          break;
        case record(onnx::Model::kProducerVersion):
          header.producer_version = message.get_string();
          break;
        case record(onnx::Model::kGraph):
          graph_bytes = message.get_view();
          has_graph = true;
          break;
        case record(onnx::Model::kOpsetImport): {
          auto [domain, version] = read_opset(message.get_message());
          header.opsets[domain] = version;
          break;
        }
        case record(onnx::Model::kMetadata): {
          auto [key, value] = read_entry(message.get_message());
          header.metadata[key] = value;
          break;
        }
        case record(onnx::Model::kFunctions):
          keep_function(message.get_view(), header.functions);
          break;
        default:
          message.skip();
      }
    }
    if (!has_graph) throw_bad_input(model_ + ": not an ONNX model (it has no graph)");
    read_graph(pbf_reader(graph_bytes), header, 0);
    return header;
  }

  const std::string& where() const { return where_; }

 private:
  static void keep_function(data_view view, std::vector<std::byte>& out) {
    Message kept;
    kept.add_string(onnx::Model::kFunctions, std::string_view(view.data(), view.size()));
    for (const Message::Piece& piece : kept.pieces()) {
      const auto bytes = std::as_bytes(std::span(piece.own));
      out.insert(out.end(), bytes.begin(), bytes.end());
    }
  }

  void read_graph(pbf_reader message, Graph& graph, int depth) {
    if (depth > kMaxDepth) throw_bad_input(model_ + ": subgraphs are nested too deeply");
    while (message.next()) {
      switch (message.tag_and_type()) {
        case record(onnx::GraphField::kNode):
          where_ = "node " + std::to_string(graph.nodes.size());
          graph.nodes.push_back(read_node(message.get_message(), depth));
          break;
        case record(onnx::GraphField::kName):
          graph.name = message.get_string();
          break;
        case record(onnx::GraphField::kInitializer):
          add_initializer(message.get_message(), graph);
          break;
        case record(onnx::GraphField::kInput):
          where_ = "graph input " + std::to_string(graph.inputs.size());
          graph.inputs.push_back(read_value(message.get_message()));
          break;
        case record(onnx::GraphField::kOutput):
          where_ = "graph output " + std::to_string(graph.outputs.size());
          graph.outputs.push_back(read_value(message.get_message()));
          break;
        case record(onnx::GraphField::kValueInfo): {
          where_ = "value information";
          ValueInfo value = read_value(message.get_message());
          if (value.type != DataType::kUndefined) graph.values[value.name] = std::move(value);
          break;
        }
        case record(onnx::GraphField::kSparseInitializer):
          throw_not_supported(model_ + ": the graph has sparse initializers");
        default:
          message.skip();
      }
    }
    std::erase_if(graph.inputs,
                  [&](const ValueInfo& input) { return graph.initializers.contains(input.name); });
  }

  void add_initializer(pbf_reader message, Graph& graph) {
    where_ = "initializer " + std::to_string(graph.initializers.size());
    NamedTensor named = read_tensor(message, owner_, external_, model_, "initializer");
    if (!graph.initializers.emplace(named.name, std::move(named.tensor)).second) {
      throw_bad_input(model_ + ": there are two initializers '" + named.name + "'");
    }
  }

  Node read_node(pbf_reader message, int depth) {
    Node node;
    std::vector<data_view> attributes;  // after the name is known, for their messages
    while (message.next()) {
      switch (message.tag_and_type()) {
        case record(onnx::NodeField::kInput):
          node.inputs.push_back(message.get_string());
          break;
        case record(onnx::NodeField::kOutput):
          node.outputs.push_back(message.get_string());
          break;
        case record(onnx::NodeField::kName):
          node.name = message.get_string();
          break;
        case record(onnx::NodeField::kOpType):
          node.op_type = message.get_string();
          break;
        case record(onnx::NodeField::kDomain):
          node.domain = standard_domain(message.get_string());
          break;
        case record(onnx::NodeField::kAttribute):
          attributes.push_back(message.get_view());
          break;
        case record(onnx::NodeField::kOverload):
          if (!message.get_view().empty()) {
            throw_not_supported(model_ + ": a node calls an overloaded function");
          }
          break;
        default:
          message.skip();
      }
    }
    where_ = describe(node);
    for (const data_view view : attributes) read_attribute(pbf_reader(view), node, depth);
    return node;
  }

  void read_attribute(pbf_reader message, Node& node, int depth) {
    using Type = onnx::AttributeType;
    RawAttribute raw = read_raw_attribute(message);
    Attribute value;
    switch (raw.type) {
      case Type::kFloat:
        value = raw.f;
        break;
      case Type::kInt:
        value = raw.i;
        break;
      case Type::kString:
        value = std::move(raw.s);
        break;
      case Type::kTensor: {
        const std::string where = describe(node) + ", attribute '" + raw.name + "'";
        value = read_tensor(pbf_reader(raw.tensor), owner_, external_, model_, where).tensor;
        break;
      }
      case Type::kGraph: {
        auto subgraph = std::make_shared<Graph>();
        read_graph(pbf_reader(raw.graph), *subgraph, depth + 1);
        value = std::move(subgraph);
        break;
      }
      case Type::kFloats:
        value = std::move(raw.floats);
        break;
      case Type::kInts:
        value = std::move(raw.ints);
        break;
      case Type::kStrings:
        value = std::move(raw.strings);
        break;
      default:
        throw_not_supported(model_ + ": " + describe(node) + ", attribute '" + raw.name +
                            "': attribute type " + std::to_string(raw.type));
    }
    if (!node.attributes.emplace(raw.name, std::move(value)).second) {
      throw_bad_input(model_ + ": " + describe(node) + " has two attributes '" + raw.name + "'");
    }
  }

  std::shared_ptr<const void> owner_;
  std::string model_;
  ExternalData external_;
  std::string where_;
};

Graph parse(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
            const std::string& name, const std::filesystem::path& path) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.empty()) throw_bad_input(name + ": the file is empty");
  if (text.starts_with("version https://git-lfs")) {
    throw_bad_input(name + ": a Git LFS pointer, not the model; fetch it with: git lfs pull");
  }
  Reader reader(std::move(owner), name, path);
  Graph graph;
  try {
    graph = reader.read_model(data_view(text.data(), text.size()));
  } catch (const protozero::exception& error) {
    throw_bad_input(name + ": damaged or cut short in " + reader.where() + " (" + error.what() +
                    ")");
  }
  order_nodes(graph, name);
  verify(graph, name);
  return graph;
}

}  // namespace

Graph read_onnx(const std::filesystem::path& path) {
  auto file = std::make_shared<const MappedFile>(MappedFile::open(path));
  const std::span<const std::byte> bytes = file->bytes();
  return parse(bytes, std::move(file), path.string(), path);
}

Graph parse_onnx(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                 const std::string& name) {
  return parse(bytes, std::move(owner), name, {});
}

}  // namespace embedforge
