#include <nanobind/stl/map.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "bindings.h"
#include "embedforge/error.h"
#include "embedforge/model.h"
#include "fields.h"
#include "graph/read_onnx.h"
#include "graph/write_onnx.h"
#include "quantize/default_texts.h"
#include "tell.h"

namespace embedforge::python {
namespace {

namespace nb = nanobind;
using namespace nb::literals;  // NOLINT(google-build-using-namespace): "name"_a needs it

template <typename T>
T one_of(const std::string& field, const std::string& value,
         const std::map<std::string, T>& names) {
  const auto found = names.find(value);
  if (found == names.end()) throw_usage(field + " '" + value + "' isn't one that quantize() knows");
  return found->second;
}

QuantizeMethod method_of(const std::string& name) {
  return one_of<QuantizeMethod>(
      "method", name, {{"dynamic", QuantizeMethod::kDynamic}, {"static", QuantizeMethod::kStatic}});
}

DefaultTexts default_texts_of(const std::string& name) {
  return one_of<DefaultTexts>("default_texts", name,
                              {{"quick", DefaultTexts::kQuick},
                               {"builtin", DefaultTexts::kFull},
                               {"none", DefaultTexts::kNone}});
}

CalibrateMethod calibrate_method_of(const std::string& name) {
  return one_of<CalibrateMethod>("calibrate_method", name,
                                 {{"mse", CalibrateMethod::kLeastError},
                                  {"minmax", CalibrateMethod::kMinMax},
                                  {"entropy", CalibrateMethod::kEntropy},
                                  {"percentile", CalibrateMethod::kPercentile}});
}

/// By the names of the fields of QuantizeOptions.
nb::dict quantize_model(const std::string& model, const nb::kwargs& given) {
  QuantizeOptions options;
  Fields fields(given);
  fields.take<std::string>("method", options.method, method_of);
  fields.take<std::string>("output", options.output, std::identity());
  fields.take("calibration", options.calibration);
  fields.take<std::string>("default_texts", options.default_texts, default_texts_of);
  fields.take<std::string>("calibrate_method", options.calibrate_method, calibrate_method_of);
  fields.take("samples", options.samples);
  fields.take("target_cosine", options.target_cosine);
  fields.take("reduce_range", options.reduce_range);
  fields.take("excluded", options.excluded);
  fields.take("threads", options.threads);
  fields.finish("option");
  options.tell = tell_python;
  QuantizeResult result;
  {
    const nb::gil_scoped_release unlocked;
    result = quantize(model, options);
  }
  nb::dict out;
  out["model"] = result.model.string();
  out["original_bytes"] = result.original_bytes;
  out["bytes"] = result.bytes;
  out["calibration_texts"] = result.calibration_texts;
  out["target_reached"] = result.target_reached;
  out["cosines"] = nb::tuple(nb::cast(result.cosines));
  nb::dict errors;
  for (const QuantizedLayer& layer : result.layers) errors[layer.node.c_str()] = layer.error;
  out["errors"] = errors;
  nb::dict kept;
  for (const FloatLayer& layer : result.kept_float) kept[layer.node.c_str()] = layer.gain;
  out["kept_float"] = kept;
  return out;
}

/// (type, dims, little-endian bytes).
nb::tuple tensor_parts(const Tensor& tensor) {
  return nb::make_tuple(
      data_type_name(tensor.type), tensor.dims,
      nb::bytes(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()));
}

nb::object attribute_value(const Attribute& attribute) {
  return std::visit(
      [](const auto& value) -> nb::object {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, Tensor>) {
          return tensor_parts(value);
        } else if constexpr (std::is_same_v<T, std::shared_ptr<Graph>>) {
          return nb::none();
        } else {
          return nb::cast(value);
        }
      },
      attribute);
}

/// (nodes, initializers, names of inputs, names of outputs); a node is (operator, inputs, outputs,
/// attributes).
nb::tuple read_graph(const std::string& path) {
  const Graph graph = read_onnx(path);
  nb::list nodes;
  for (const Node& node : graph.nodes) {
    nb::dict attributes;
    for (const auto& [name, value] : node.attributes)
      attributes[name.c_str()] = attribute_value(value);
    nodes.append(nb::make_tuple(node.op_type, node.inputs, node.outputs, attributes));
  }
  nb::dict initializers;
  for (const auto& [name, tensor] : graph.initializers)
    initializers[name.c_str()] = tensor_parts(tensor);
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  for (const ValueInfo& value : graph.inputs) inputs.push_back(value.name);
  for (const ValueInfo& value : graph.outputs) outputs.push_back(value.name);
  return nb::make_tuple(nodes, initializers, inputs, outputs);
}

/// Writes the model with other elements in some of its initializers.
void replace_tensors(const std::string& source, const std::string& out,
                     const std::map<std::string, nb::bytes>& tensors,
                     const std::map<std::string, std::string>& metadata) {
  Graph graph = read_onnx(source);
  for (const auto& [name, bytes] : tensors) {
    const auto found = graph.initializers.find(name);
    if (found == graph.initializers.end() || found->second.bytes.size() != bytes.size())
      throw_bad_input(source + ": has no initializer '" + name + "' of this size");
    const auto* begin = reinterpret_cast<const uint8_t*>(bytes.c_str());
    found->second = Tensor::from(found->second.type, found->second.dims,
                                 std::vector<uint8_t>(begin, begin + bytes.size()));
  }
  for (const auto& [key, value] : metadata) graph.metadata[key] = value;
  write_onnx(graph, out);
}

}  // namespace

void register_quantize(nb::module_& module) {
  module.def("quantize", quantize_model, "model"_a, "options"_a);
  module.def("default_texts", [] {
    const auto texts = quantization::default_texts();
    return std::vector<std::string>(texts.begin(), texts.end());
  });
  module.def("read_graph", read_graph, "path"_a);
  module.def("replace_tensors", replace_tensors, "source"_a, "out"_a, "tensors"_a, "metadata"_a);
}

}  // namespace embedforge::python
