#include "passes/gelu.h"

#include <cmath>
#include <functional>
#include <map>
#include <numbers>

#include "embedforge/error.h"
#include "graph/evaluate.h"
#include "graph/tensor.h"

namespace embedforge::passes {
namespace {

constexpr double kStep = 0.37;  // between the points where functions are compared
constexpr int kPoints = 33;

std::vector<float> points() {
  constexpr int kMiddle = kPoints / 2;
  std::vector<float> out(kPoints);
  for (int i = 0; i < kPoints; ++i) {
    out[static_cast<size_t>(i)] = static_cast<float>((i - kMiddle) * kStep);
  }
  return out;
}

double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::numbers::sqrt2)); }
double gelu_tanh(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

/// The elementwise nodes that make a value from one other.
class Cone {
 public:
  explicit Cone(const Editor& editor) : editor_(editor) {}

  /// False when it has several inputs or none.
  bool collect(const Node& node) {
    if (!nodes_.insert(&node).second) return true;
    for (const std::string& name : node.inputs) {
      if (editor_.scalar(name)) continue;
      const Node* maker = editor_.maker(name);
      if (maker != nullptr && belongs(*maker)) {
        if (nodes_.size() > 16 || !collect(*maker)) return false;
      } else if (leaf_.empty() || leaf_ == name) {
        leaf_ = name;
      } else {
        return false;
      }
    }
    return true;
  }

  const std::string& leaf() const { return leaf_; }
  const std::set<const Node*>& nodes() const { return nodes_; }
  bool has(const char* op) const {
    for (const Node* node : nodes_) {
      if (node->op_type == op) return true;
    }
    return false;
  }

  /// At the points; throws Error where it can't be computed.
  std::vector<double> values(const Node& node) const {
    std::map<std::string, Tensor> known = {{leaf_, Tensor::from_floats({kPoints}, points())}};
    const std::function<const Tensor&(const std::string&)> find =
        [&](const std::string& name) -> const Tensor& {
      const auto found = known.find(name);
      if (found != known.end()) return found->second;
      if (const Tensor* constant = editor_.constant(name)) return *constant;
      const Node& maker = *editor_.maker(name);
      std::vector<const Tensor*> inputs;
      inputs.reserve(maker.inputs.size());
      for (const std::string& input : maker.inputs) inputs.push_back(&find(input));
      return known.emplace(name, evaluate(maker, inputs, editor_.opset())[0]).first->second;
    };
    return to_doubles(find(node.outputs[0]));
  }

 private:
  bool belongs(const Node& node) const {
    static const std::set<std::string> kOps = {"Add", "Div",  "Erf", "Mul",
                                               "Pow", "Sqrt", "Sub", "Tanh"};
    if (!node.domain.empty() || !kOps.contains(node.op_type)) return false;
    for (const std::string& name : node.inputs) {
      if (editor_.constant(name) != nullptr && !editor_.scalar(name)) return false;  // a bias
    }
    return true;
  }

  const Editor& editor_;
  std::string leaf_;
  std::set<const Node*> nodes_;
};

bool equal(const std::vector<double>& values, double (*function)(double)) {
  const std::vector<float> at = points();
  if (values.size() != at.size()) return false;
  for (size_t i = 0; i < at.size(); ++i) {
    if (!(std::abs(values[i] - function(static_cast<double>(at[i]))) <= 1e-5)) return false;
  }
  return true;
}

std::optional<Gelu> match_written_out(const Editor& editor, const Node& node) {
  Cone cone(editor);
  if (!cone.collect(node) || cone.leaf().empty()) return std::nullopt;
  const bool tanh = cone.has("Tanh");
  if (tanh == cone.has("Erf")) return std::nullopt;
  try {
    if (!equal(cone.values(node), tanh ? gelu_tanh : gelu)) return std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
  return Gelu{cone.leaf(), tanh, cone.nodes()};
}

}  // namespace

std::optional<Gelu> match_gelu(const Editor& editor, const Node& node) {
  const bool microsoft = node.domain == kMicrosoft && node.inputs.size() == 1;
  if (is_op(node, "Gelu")) {
    const auto found = node.attributes.find("approximate");
    const auto* kind =
        found == node.attributes.end() ? nullptr : std::get_if<std::string>(&found->second);
    return Gelu{node.inputs[0], kind != nullptr && *kind == "tanh", {&node}};
  }
  if (microsoft && node.op_type == "Gelu") return Gelu{node.inputs[0], false, {&node}};
  if (microsoft && node.op_type == "FastGelu") return Gelu{node.inputs[0], true, {&node}};
  if (!is_op(node, "Mul")) return std::nullopt;
  return match_written_out(editor, node);
}

}  // namespace embedforge::passes
