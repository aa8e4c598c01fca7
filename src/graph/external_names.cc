#include "graph/external_names.h"

#include <algorithm>
#include <protozero/pbf_reader.hpp>

#include "base/mapped_file.h"
#include "embedforge/error.h"
#include "graph/onnx_fields.h"

namespace embedforge {
namespace {

using protozero::pbf_reader;

class Names {
 public:
  void graph(pbf_reader graph) {
    while (graph.next()) {
      if (graph.tag() == onnx::GraphField::kInitializer) {
        tensor(graph.get_message());
      } else if (graph.tag() == onnx::GraphField::kSparseInitializer) {
        pbf_reader sparse = graph.get_message();
        while (sparse.next()) {
          if (sparse.tag() <= 2) {  // values, indices
            tensor(sparse.get_message());
          } else {
            sparse.skip();
          }
        }
      } else if (graph.tag() == onnx::GraphField::kNode) {
        node(graph.get_message());
      } else {
        graph.skip();
      }
    }
  }
  std::set<std::string> found;

 private:
  void tensor(pbf_reader tensor) {
    while (tensor.next(onnx::TensorField::kExternalData)) {
      pbf_reader entry = tensor.get_message();
      std::string key;
      std::string value;
      while (entry.next()) {
        if (entry.tag() == onnx::EntryField::kKey) {
          key = entry.get_string();
        } else if (entry.tag() == onnx::EntryField::kValue) {
          value = entry.get_string();
        } else {
          entry.skip();
        }
      }
      if (key == "location") found.insert(value);
    }
  }
  void node(pbf_reader node) {
    while (node.next(onnx::NodeField::kAttribute)) {
      pbf_reader attribute = node.get_message();
      while (attribute.next()) {
        if (attribute.tag() == onnx::AttributeField::kTensor) {
          tensor(attribute.get_message());
        } else if (attribute.tag() == onnx::AttributeField::kGraph) {
          graph(attribute.get_message());
        } else {
          attribute.skip();
        }
      }
    }
  }
};

}  // namespace

std::set<std::string> external_data_names(const std::filesystem::path& onnx) {
  const MappedFile file = MappedFile::open(onnx);
  const auto bytes = file.bytes();
  Names names;
  try {
    pbf_reader model(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    while (model.next(onnx::Model::kGraph)) names.graph(model.get_message());
  } catch (const protozero::exception& error) {
    throw_bad_input(onnx.string() + ": not an ONNX file: " + error.what());
  }
  for (const std::string& name : names.found) {
    const std::filesystem::path path = name;
    if (path.is_absolute() || name.empty() || std::ranges::find(path, "..") != path.end()) {
      throw_bad_input(onnx.string() + ": external data '" + name +
                      "' is outside of the model's folder");
    }
  }
  return std::move(names.found);
}

}  // namespace embedforge
