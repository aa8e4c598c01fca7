#include "recognize/recognize.h"

#include "embedforge/error.h"
#include "graph/evaluate.h"
#include "graph/order_nodes.h"
#include "recognize/call.h"
#include "recognize/operators.h"

namespace embedforge::recognize {
namespace {

class Walk {
 public:
  Walk(const Graph& graph, const std::vector<Probe>& probes, const ViewOf* view_of = nullptr)
      : graph_(graph), view_of_(view_of), setting_{probes} {
    const auto standard = graph.opsets.find("");
    if (standard != graph.opsets.end()) setting_.opset = standard->second;
    setting_.whole = view_of != nullptr;
    for (const auto& [name, tensor] : graph.initializers) {
      forms_.emplace(name, Constant{tensor, false, name});
    }
    for (const ValueInfo& input : graph.inputs) {
      if (input_role(input.name) == InputRole::kMask) setting_.has_mask_input = true;
    }
    for (const ValueInfo& input : graph.inputs) {
      forms_.emplace(input.name, given_if_unknown(input.name, input_form(input)));
    }
    for (const Node& node : graph.nodes) {
      for_each_use(node, [&](const std::string& name) { ++uses_[name]; });
    }
    for (const ValueInfo& output : graph.outputs) ++uses_[output.name];
  }

  std::map<std::string, Form> run() {
    for (const Node& node : graph_.nodes) {
      Forms made = visit(node);
      for (size_t i = 0; i < node.outputs.size(); ++i) {
        const std::string& name = node.outputs[i];
        if (name.empty()) continue;
        Form form = i < made.size() ? std::move(made[i])
                                    : Form(Unknown{describe(node) + ": its output " +
                                                   std::to_string(i) + " is not supported"});
        forms_.insert_or_assign(name, given_if_unknown(name, std::move(form)));
      }
      for_each_use(node, [&](const std::string& name) {  // probes' values can be large
        if (view_of_ == nullptr && --uses_[name] == 0) forms_.erase(name);
      });
    }
    return std::move(forms_);
  }

 private:
  Form given_if_unknown(const std::string& name, Form form) const {
    if (view_of_ == nullptr || !std::holds_alternative<Unknown>(form)) return form;
    const auto view = (*view_of_)(name);
    if (!view) return form;
    int64_t width = 1;
    for (const Axis& axis : view->axes) {
      for (const Atom& atom : axis) width *= atom.kind == Atom::Kind::kColumn ? atom.size : 1;
    }
    return Viewed{std::make_shared<const Expression>(Expression{Given{name}, width}), *view};
  }

  Form input_form(const ValueInfo& input) const {
    const auto role = view_of_ != nullptr ? likely_role(input) : input_role(input.name);
    if (!role) return Unknown{"graph input '" + input.name + "' is none that a text encoder takes"};
    if (input.type != DataType::kInt64 && input.type != DataType::kInt32) {
      return Unknown{"graph input '" + input.name + "' is " + data_type_name(input.type) +
                     ", int64 is supported"};
    }
    for (const Dim& dim : input.shape.value_or(std::vector<Dim>{})) {
      if (const auto* size = std::get_if<int64_t>(&dim)) {
        return Unknown{"graph input '" + input.name + "' has the fixed size " +
                       std::to_string(*size) + "; export with dynamic axes"};
      }
    }
    return probe_input(*role, input.type, setting_.probes);
  }

  Forms visit(const Node& node) {
    try {
      return understand(node);
    } catch (const Error& error) {
      const Unknown unknown{error.what(), error.code() == ErrorCode::kBadInput};
      return Forms(node.outputs.size(), unknown);
    }
  }

  Forms understand(const Node& node) {
    std::vector<const Form*> inputs;
    bool all_constant = true;
    bool all_known = true;
    for (const std::string& name : node.inputs) {
      const Form* form = nullptr;
      if (!name.empty()) {
        const auto found = forms_.find(name);
        if (found == forms_.end()) throw_bad_input(describe(node) + " needs '" + name + "'");
        form = &found->second;
        if (const auto* unknown = std::get_if<Unknown>(form)) {
          return Forms(node.outputs.size(), *unknown);
        }
        const bool constant = std::holds_alternative<Constant>(*form);
        all_constant = all_constant && constant;
        all_known = all_known && (constant || std::holds_alternative<Known>(*form));
      }
      inputs.push_back(form);
    }
    const Call call(node, std::move(inputs), setting_);
    const Operator* known = find_operator(node);
    const bool rounded = view_of_ != nullptr && known != nullptr && known->rounds;
    if (rounded && !all_known) call.refuse("rounds");
    if (known != nullptr && (!all_known || known->constants)) {
      Forms forms = known->handler(call);
      if (!forms.empty()) return forms;
    }
    if (all_known && can_evaluate(node)) {
      return evaluate_outputs(node, call, all_constant);
    }
    call.refuse(all_known || known == nullptr ? "is an operator that the native engine doesn't have"
                                              : "doesn't fit any part of an encoder");
  }

  /// Of constants alone once, else for each probe.
  Forms evaluate_outputs(const Node& node, const Call& call, bool constants) const {
    std::vector<Known> out(node.outputs.size());
    const size_t times = constants ? 1 : setting_.probes.size();
    for (size_t p = 0; p < times; ++p) {
      std::vector<Tensor> tensors(node.inputs.size());
      std::vector<const Tensor*> inputs(node.inputs.size(), nullptr);
      for (size_t i = 0; i < tensors.size(); ++i) {
        if (!call.has(i)) continue;
        const Known* known = call.known(i);
        tensors[i] = known != nullptr ? known->at[p] : plain(*call.constant(i));
        inputs[i] = &tensors[i];
      }
      std::vector<Tensor> made = evaluate(node, inputs, setting_.opset);
      for (size_t i = 0; i < out.size() && i < made.size(); ++i) {
        out[i].at.push_back(std::move(made[i]));
      }
    }
    Forms forms;
    for (Known& known : out) {
      if (known.at.size() != times) break;
      if (constants) {
        forms.emplace_back(Constant{std::move(known.at[0]), false, node.outputs[forms.size()]});
      } else {
        forms.emplace_back(std::move(known));
      }
    }
    return forms;
  }

  const Graph& graph_;
  const ViewOf* view_of_;
  Setting setting_;
  std::map<std::string, Form> forms_;
  std::map<std::string, int> uses_;
};

}  // namespace

std::map<std::string, Form> recognize(const Graph& graph, const std::vector<Probe>& probes) {
  return Walk(graph, probes).run();
}

std::map<std::string, Form> recognize_all(const Graph& graph, const std::vector<Probe>& probes,
                                          const ViewOf& view_of) {
  return Walk(graph, probes, &view_of).run();
}

}  // namespace embedforge::recognize
