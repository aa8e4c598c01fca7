#include "graph/verify.h"

#include <set>
#include <string_view>

#include "embedforge/error.h"
#include "graph/order_nodes.h"
#include "graph/tensor.h"

namespace embedforge {
namespace {

class Verifier {
 public:
  Verifier(const std::string& what, const std::map<std::string, int64_t>& opsets,
           const Verifier* outer, bool has_functions)
      : what_(what), opsets_(opsets), outer_(outer), has_functions_(has_functions) {}

  void run(const Graph& graph) {
    for (const auto& [name, tensor] : graph.initializers) {
      check_tensor(tensor, "initializer '" + name + "'");
      define(name, "an initializer");
    }
    for (const ValueInfo& input : graph.inputs) define(input.name, "a graph input");
    for (const Node& node : graph.nodes) {  // before any use, so that "later" and "nowhere" differ
      for (const std::string& name : node.outputs) produced_.insert(name);
    }
    for (const Node& node : graph.nodes) check_node(node);
    for (const ValueInfo& output : graph.outputs) {
      if (!is_defined(output.name)) {
        throw_bad_input(what_ + ": nothing makes the graph output '" + output.name + "'");
      }
    }
  }

 private:
  void check_node(const Node& node) {
    if (node.op_type.empty()) throw_bad_input(what_ + ": " + describe(node) + " has no operator");
    if (!opsets_.contains(node.domain) && !has_functions_) {
      throw_bad_input(what_ + ": " + describe(node) + " is of domain '" + node.domain +
                      "', which the model doesn't import");
    }
    for (const std::string& name : node.inputs) {
      if (name.empty() || is_defined(name)) continue;
      throw_bad_input(what_ + ": " + describe(node) + " needs '" + name + "', which " +
                      (produced_.contains(name) ? "is made only after it" : "nothing makes"));
    }
    for (const auto& [key, value] : node.attributes) {
      if (const auto* tensor = std::get_if<Tensor>(&value)) {
        check_tensor(*tensor, describe(node) + ", attribute '" + key + "'");
      }
      if (const auto* subgraph = std::get_if<std::shared_ptr<Graph>>(&value)) {
        Verifier(what_, opsets_, this, has_functions_).run(**subgraph);
      }
    }
    for (const std::string& name : node.outputs) {
      if (!name.empty()) define(name, describe(node));
    }
  }

  void check_tensor(const Tensor& tensor, const std::string& where) const {
    const auto count = checked_element_count(tensor.dims);
    if (!count) throw_bad_input(what_ + ": " + where + " has an impossible shape");
    const size_t size = element_size(tensor.type);
    if (tensor.type == DataType::kString) return;
    if (size == 0) throw_bad_input(what_ + ": " + where + " has no element type");
    if (tensor.bytes.size() / size != static_cast<uint64_t>(*count) ||
        tensor.bytes.size() % size != 0) {
      throw_bad_input(what_ + ": " + where + " has " + std::to_string(tensor.bytes.size()) +
                      " bytes for " + std::to_string(*count) + " elements");
    }
  }

  void define(const std::string& name, const std::string& by) {
    if (name.empty()) throw_bad_input(what_ + ": " + by + " has no name");
    if (!defined_.insert(name).second) {
      throw_bad_input(what_ + ": '" + name + "' is made twice, the second time by " + by);
    }
  }

  bool is_defined(const std::string& name) const {
    return defined_.contains(name) || (outer_ != nullptr && outer_->is_defined(name));
  }

  const std::string& what_;
  const std::map<std::string, int64_t>& opsets_;
  const Verifier* outer_;
  bool has_functions_;
  std::set<std::string, std::less<>> defined_;
  std::set<std::string, std::less<>> produced_;
};

}  // namespace

void verify(const Graph& graph, const std::string& what) {
  if (!graph.opsets.contains("")) {
    throw_bad_input(what + ": the model imports no opset of the standard operators");
  }
  if (graph.outputs.empty()) throw_bad_input(what + ": the graph has no output");
  Verifier(what, graph.opsets, nullptr, !graph.functions.empty()).run(graph);
}

}  // namespace embedforge
