#include "graph/check_types.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "embedforge/error.h"
#include "graph/order_nodes.h"
#include "graph/tensor.h"

namespace embedforge {
namespace {

/// What a standard operator takes and makes. `inputs` has a letter for each, and the last one
/// stands for all that follow: T types that are equal to each other; F the same, and floats; i
/// int32 or int64; l int64; b bool; . any. `output` is a letter of these, T for the type of the Ts,
/// t for that of the attribute `to`, v for that of the attribute `value`.
struct Signature {
  std::string_view inputs;
  char output = 'T';
  size_t needed = 1;  // inputs, in the opset that asks for the fewest
};

const std::unordered_map<std::string_view, Signature>& signatures() {
  static const std::unordered_map<std::string_view, Signature> kSignatures = {
      {"Abs", {"T"}},
      {"Add", {"T", 'T', 2}},
      {"And", {"b", 'b', 2}},
      {"ArgMax", {"T", 'l'}},
      {"ArgMin", {"T", 'l'}},
      {"Attention", {".", '.', 3}},
      {"Cast", {".", 't'}},
      {"Ceil", {"F"}},
      {"Clip", {"T"}},
      {"Concat", {"T"}},
      {"Constant", {".", 'v', 0}},
      {"ConstantOfShape", {"l", 'v'}},
      {"Cos", {"F"}},
      {"CumSum", {"Ti", 'T', 2}},
      {"Div", {"T", 'T', 2}},
      {"Dropout", {"T."}},
      {"Einsum", {"T"}},
      {"Equal", {"T", 'b', 2}},
      {"Erf", {"T"}},
      {"Exp", {"F"}},
      {"Expand", {"Tl", 'T', 2}},
      {"Flatten", {"T"}},
      {"Floor", {"F"}},
      {"Gather", {"Ti", 'T', 2}},
      {"GatherElements", {"Ti", 'T', 2}},
      {"GatherND", {"Tl", 'T', 2}},
      {"Gelu", {"F"}},
      {"Gemm", {"T", 'T', 2}},
      {"Greater", {"T", 'b', 2}},
      {"GreaterOrEqual", {"T", 'b', 2}},
      {"Identity", {"T"}},
      {"If", {"b", '.'}},
      {"IsInf", {"F", 'b'}},
      {"IsNaN", {"F", 'b'}},
      {"LayerNormalization", {"F", 'T', 2}},
      {"Less", {"T", 'b', 2}},
      {"LessOrEqual", {"T", 'b', 2}},
      {"Log", {"F"}},
      {"MatMul", {"T", 'T', 2}},
      {"Max", {"T"}},
      {"Mean", {"F"}},
      {"Min", {"T"}},
      {"Mul", {"T", 'T', 2}},
      {"Neg", {"T"}},
      {"NonZero", {"T", 'l'}},
      {"Not", {"b", 'b'}},
      {"Or", {"b", 'b', 2}},
      {"Pad", {"TlTi"}},
      {"Pow", {"T.", 'T', 2}},
      {"Range", {"T", 'T', 3}},
      {"Reciprocal", {"F"}},
      {"ReduceL2", {"Tl"}},
      {"ReduceMax", {"Tl"}},
      {"ReduceMean", {"Tl"}},
      {"ReduceMin", {"Tl"}},
      {"ReduceSum", {"Tl"}},
      {"Relu", {"T"}},
      {"Reshape", {"Tl"}},
      {"ScatterElements", {"TiT", 'T', 3}},
      {"ScatterND", {"TlT", 'T', 3}},
      {"Shape", {".", 'l'}},
      {"Sigmoid", {"F"}},
      {"Sin", {"F"}},
      {"Size", {".", 'l'}},
      {"Slice", {"Ti"}},
      {"Softmax", {"F"}},
      {"Split", {"Tl"}},
      {"Sqrt", {"F"}},
      {"Squeeze", {"Tl"}},
      {"Sub", {"T", 'T', 2}},
      {"Sum", {"F"}},
      {"Tanh", {"F"}},
      {"Tile", {"Tl", 'T', 2}},
      {"Transpose", {"T"}},
      {"Trilu", {"Tl"}},
      {"Unsqueeze", {"Tl"}},
      {"Where", {"bT", 'T', 3}},
      {"Xor", {"b", 'b', 2}},
  };
  return kSignatures;
}

/// nullptr for operators that aren't known.
const Signature* signature_of(const Node& node) {
  static const std::unordered_map<std::string_view, Signature> kMicrosoft = {
      {"BiasGelu", {"F", 'T', 2}},    {"FastGelu", {"F"}},
      {"FusedMatMul", {"F", 'T', 2}}, {"Gelu", {"F"}},
      {"QuickGelu", {"F"}},           {"SkipLayerNormalization", {"F", 'T', 3}},
  };
  if (!node.domain.empty() && node.domain != "com.microsoft") return nullptr;
  const auto& known = node.domain.empty() ? signatures() : kMicrosoft;
  const auto found = known.find(node.op_type);
  return found == known.end() ? nullptr : &found->second;
}

/// An attribute's types in the order of the variant's.
constexpr std::array<std::string_view, std::variant_size_v<Attribute>> kAttributeTypes = {
    "an integer", "a float", "text", "a tensor", "integers", "floats", "texts", "a graph"};

/// What standard operators have under these names, whichever operator it is.
const std::unordered_map<std::string_view, std::string_view>& attribute_types() {
  static const std::unordered_map<std::string_view, std::string_view> kTypes = {
      {"allowzero", "an integer"}, {"alpha", "a float"},
      {"approximate", "text"},     {"axes", "integers"},
      {"axis", "an integer"},      {"batch_dims", "an integer"},
      {"beta", "a float"},         {"epsilon", "a float"},
      {"keepdims", "an integer"},  {"noop_with_empty_axes", "an integer"},
      {"perm", "integers"},        {"split", "integers"},
      {"transA", "an integer"},    {"transB", "an integer"},
  };
  return kTypes;
}

/// Whether it has each of 0 .. size - 1 once.
bool is_permutation(std::vector<int64_t> values) {
  std::ranges::sort(values);
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] != static_cast<int64_t>(i)) return false;
  }
  return true;
}

const char* wanted_by(char letter) {
  switch (letter) {
    case 'F':
      return "floats";
    case 'i':
      return "int32 or int64";
    case 'l':
      return "int64";
    default:
      return "bool";
  }
}

bool fits(char letter, DataType type) {
  switch (letter) {
    case 'F':
      return is_float_type(type);
    case 'i':
      return type == DataType::kInt32 || type == DataType::kInt64;
    case 'l':
      return type == DataType::kInt64;
    case 'b':
      return type == DataType::kBool;
    default:
      return true;
  }
}

using Types = std::unordered_map<std::string, DataType>;

class Checker {
 public:
  Checker(const std::string& what, Types types) : what_(what), types_(std::move(types)) {}

  void run(const Graph& graph) {
    for (const auto& [name, tensor] : graph.initializers) learn(name, tensor.type);
    for (const ValueInfo& input : graph.inputs) learn(input.name, input.type);
    for (const Node& node : graph.nodes) {
      check_node(node);
      for (const auto& [key, value] : node.attributes) {
        const auto* inner = std::get_if<std::shared_ptr<Graph>>(&value);
        if (inner != nullptr) Checker(what_, types_).run(**inner);
      }
    }
    for (const ValueInfo& output : graph.outputs) {
      const DataType made = type_of(output.name);
      if (made == DataType::kUndefined || output.type == DataType::kUndefined) continue;
      if (made == output.type) continue;
      throw_bad_input(what_ + ": the graph output '" + output.name + "' is declared as " +
                      data_type_name(output.type) + ", but " + data_type_name(made) +
                      " is what is made");
    }
  }

 private:
  /// kUndefined for what isn't known.
  DataType type_of(const std::string& name) const {
    const auto found = types_.find(name);
    return found == types_.end() ? DataType::kUndefined : found->second;
  }

  void learn(const std::string& name, DataType type) { types_[name] = type; }

  void check_node(const Node& node) {
    for (const std::string& name : node.outputs) learn(name, DataType::kUndefined);
    if (node.domain.empty()) check_attributes(node);
    const Signature* signature = signature_of(node);
    if (signature == nullptr) return;
    check_count(node, *signature);
    const DataType common = check_inputs(node, *signature);
    const bool several = node.op_type == "Split";
    for (size_t i = 0; i < (several ? node.outputs.size() : 1); ++i) {
      learn(node.outputs[i], output_type(node, *signature, common));
    }
  }

  void check_count(const Node& node, const Signature& signature) const {
    if (node.outputs.empty()) throw_bad_input(what_ + ": " + describe(node) + " has no output");
    for (size_t i = 0; i < signature.needed; ++i) {
      if (i < node.inputs.size() && !node.inputs[i].empty()) continue;
      throw_bad_input(what_ + ": " + describe(node) + " has no input " + std::to_string(i) +
                      ", where it needs " + std::to_string(signature.needed) + " inputs");
    }
  }

  void check_attributes(const Node& node) const {
    for (const auto& [key, value] : node.attributes) {
      const std::string_view type = kAttributeTypes.at(value.index());
      const auto wanted = attribute_types().find(key);
      if (wanted != attribute_types().end() && type != wanted->second) {
        throw_bad_input(what_ + ": " + describe(node) + " has the attribute '" + key +
                        "', which is " + std::string(type) + ", where it needs " +
                        std::string(wanted->second));
      }
    }
    const auto* perm = node.ints_attribute("perm");
    if (perm != nullptr && !is_permutation(*perm)) {
      throw_bad_input(what_ + ": " + describe(node) +
                      " has the attribute 'perm', which is no permutation");
    }
  }

  static DataType output_type(const Node& node, const Signature& signature, DataType common) {
    switch (signature.output) {
      case 'T':
        return common;
      case 'l':
        return DataType::kInt64;
      case 'b':
        return DataType::kBool;
      case 't': {
        const int64_t to = node.int_attribute("to", 0);
        const bool known = to > 0 && to < 32 && is_known_type(static_cast<int32_t>(to));
        return known ? static_cast<DataType>(to) : DataType::kUndefined;
      }
      case 'v': {
        const auto value = node.attributes.find("value");
        if (value == node.attributes.end()) return DataType::kUndefined;
        const auto* tensor = std::get_if<Tensor>(&value->second);
        return tensor == nullptr ? DataType::kUndefined : tensor->type;
      }
      default:
        return DataType::kUndefined;
    }
  }

  /// The type of the Ts, or kUndefined.
  DataType check_inputs(const Node& node, const Signature& signature) const {
    DataType common = DataType::kUndefined;
    std::string first;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const DataType type = type_of(node.inputs[i]);
      if (node.inputs[i].empty() || type == DataType::kUndefined) continue;
      const char letter = signature.inputs[std::min(i, signature.inputs.size() - 1)];
      if (!fits(letter, type)) {
        throw_bad_input(what_ + ": " + describe(node) + " takes '" + node.inputs[i] +
                        "', which is " + data_type_name(type) + ", where it needs " +
                        wanted_by(letter));
      }
      if (letter != 'T' && letter != 'F') continue;
      if (common == DataType::kUndefined) {
        common = type;
        first = node.inputs[i];
      }
      if (type != common) {
        throw_bad_input(what_ + ": " + describe(node) + " takes '" + first + "', which is " +
                        data_type_name(common) + ", together with '" + node.inputs[i] +
                        "', which is " + data_type_name(type));
      }
    }
    return common;
  }

  const std::string& what_;
  Types types_;
};

}  // namespace

void check_types(const Graph& graph, const std::string& what) { Checker(what, {}).run(graph); }

}  // namespace embedforge
