#include "passes/editor.h"

#include <algorithm>

#include "graph/order_nodes.h"
#include "graph/tensor.h"
#include "passes/passes.h"

namespace embedforge::passes {
namespace {

/// The most nodes that one operator is written out with.
constexpr size_t kCone = 32;

/// Every name in the graph and in its subgraphs.
void collect_names(const Graph& graph, std::set<std::string>& out) {
  for (const auto& [name, tensor] : graph.initializers) out.insert(name);
  for (const ValueInfo& input : graph.inputs) out.insert(input.name);
  for (const Node& node : graph.nodes) {
    out.insert(node.outputs.begin(), node.outputs.end());
    for (const auto& [key, value] : node.attributes) {
      const auto* subgraph = std::get_if<std::shared_ptr<Graph>>(&value);
      if (subgraph != nullptr) collect_names(**subgraph, out);
    }
  }
}

}  // namespace

bool is_op(const Node& node, const char* op) { return node.domain.empty() && node.op_type == op; }

Editor::Editor(Graph& graph) : graph_(graph) {
  for (Node& node : graph.nodes) {
    for (const std::string& name : node.outputs) {
      if (!name.empty()) makers_[name] = &node;
    }
    for (const std::string& name : node.inputs) {
      if (!name.empty()) users_[name].push_back(&node);
    }
    Node inner = {.attributes = node.attributes};
    for_each_use(inner, [&](const std::string& name) { ++captured_[name]; });
  }
  for (const ValueInfo& output : graph.outputs) outputs_.insert(output.name);
  collect_names(graph, taken_);
}

int64_t Editor::opset() const {
  const auto found = graph_.opsets.find("");
  return found == graph_.opsets.end() ? 1 : found->second;
}

Node* Editor::maker(const std::string& value) const {
  const auto found = makers_.find(value);
  return found == makers_.end() ? nullptr : found->second;
}

Node* Editor::maker(const std::string& value, const char* op) const {
  Node* node = maker(value);
  return node != nullptr && is_op(*node, op) ? node : nullptr;
}

std::vector<Node*> Editor::users(const std::string& value) const {
  std::vector<Node*> out;
  const auto found = users_.find(value);
  if (found == users_.end()) return out;
  for (Node* node : found->second) {
    if (std::ranges::find(out, node) == out.end()) out.push_back(node);
  }
  return out;
}

size_t Editor::use_count(const std::string& value) const {
  const auto found = users_.find(value);
  const auto captured = captured_.find(value);
  return (found == users_.end() ? 0 : found->second.size()) +
         (captured == captured_.end() ? 0 : captured->second) + (is_output(value) ? 1 : 0);
}

const Tensor* Editor::constant(const std::string& value) const {
  const auto found = graph_.initializers.find(value);
  if (found != graph_.initializers.end()) return &found->second;
  const Node* node = maker(value, "Constant");
  if (node == nullptr) return nullptr;
  const auto given = node->attributes.find("value");
  return given == node->attributes.end() ? nullptr : std::get_if<Tensor>(&given->second);
}

std::optional<double> Editor::scalar(const std::string& value) const {
  const Tensor* tensor = constant(value);
  if (tensor == nullptr || tensor->element_count() != 1 || tensor->type == DataType::kString) {
    return std::nullopt;
  }
  return to_doubles(*tensor)[0];
}

std::optional<std::vector<int64_t>> Editor::integers(const std::string& value) const {
  const Tensor* tensor = constant(value);
  if (tensor == nullptr) return std::nullopt;
  if (tensor->type != DataType::kInt64 && tensor->type != DataType::kInt32) return std::nullopt;
  return to_ints(*tensor);
}

std::string Editor::fresh(const std::string& hint) {
  std::string name = hint;
  for (int i = 2; taken_.contains(name); ++i) name = hint + "_" + std::to_string(i);
  taken_.insert(name);
  return name;
}

std::string Editor::add_constant(const std::string& hint, Tensor value) {
  std::string name = fresh(hint);
  graph_.initializers.emplace(name, std::move(value));
  changed_ = true;
  return name;
}

std::string Editor::insert(const std::string& hint, const std::string& op, Names inputs,
                           Attributes attributes, const std::string& domain) {
  std::string name = fresh(hint);
  inserted_.push_back({name, op, domain, std::move(inputs), {name}, std::move(attributes)});
  Node& node = inserted_.back();
  makers_[name] = &node;
  for (const std::string& input : node.inputs) {
    if (!input.empty()) users_[input].push_back(&node);
  }
  if (!domain.empty()) graph_.opsets.try_emplace(domain, 1);
  changed_ = true;
  return name;
}

void Editor::forget_use(const std::string& value, const Node& node) {
  std::vector<Node*>& all = users_[value];
  const auto found = std::ranges::find(all, &node);
  if (found != all.end()) all.erase(found);
}

void Editor::rewrite(Node& node, const std::string& op, Names inputs, Attributes attributes,
                     const std::string& domain) {
  for (const std::string& input : node.inputs) forget_use(input, node);
  node.op_type = op;
  node.domain = domain;
  node.inputs = std::move(inputs);
  node.attributes = std::move(attributes);
  node.outputs.resize(1);
  for (const std::string& input : node.inputs) {
    if (!input.empty()) users_[input].push_back(&node);
  }
  if (!domain.empty()) graph_.opsets.try_emplace(domain, 1);
  changed_ = true;
}

void Editor::set_input(Node& node, size_t i, const std::string& value) {
  forget_use(node.inputs[i], node);
  node.inputs[i] = value;
  users_[value].push_back(&node);
  changed_ = true;
}

/// `taken` gets the name of the node's output, which the graph gives.
bool Editor::take_over_output(Node& node, const std::string& taken) {
  // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): may be an input renamed below
  const std::string value = taken;
  Node* source = maker(value);
  if (source == nullptr || is_output(value) || captured_.contains(value)) return false;
  const std::string name = node.outputs[0];
  node.outputs[0] = fresh(name + "_unused");
  makers_[node.outputs[0]] = &node;
  for (Node* user : users(value)) {
    for (size_t i = 0; i < user->inputs.size(); ++i) {
      if (user->inputs[i] == value) set_input(*user, i, name);
    }
  }
  std::ranges::replace(source->outputs, value, name);
  makers_.erase(value);
  makers_[name] = source;
  changed_ = true;
  return true;
}

void Editor::move_output(Node& from, Node& to, size_t i) {
  const std::string name = from.outputs[0];
  from.outputs[0] = fresh(name + "_unused");
  makers_[from.outputs[0]] = &from;
  to.outputs.resize(std::max(to.outputs.size(), i + 1));
  to.outputs[i] = name;
  makers_[name] = &to;
  changed_ = true;
}

std::set<const Node*> Editor::nodes_between(const std::string& from, const Node& to) const {
  std::set<const Node*> out;
  std::vector<const Node*> open = {&to};
  while (!open.empty() && out.size() < kCone) {
    const Node* node = open.back();
    open.pop_back();
    if (!out.insert(node).second) continue;
    for (const std::string& name : node->inputs) {
      const Node* made = name == from ? nullptr : maker(name);
      if (made != nullptr) open.push_back(made);
    }
  }
  return out;
}

bool Editor::only_used_by(const std::string& value, const std::set<const Node*>& nodes) const {
  if (is_output(value) || captured_.contains(value)) return false;
  return std::ranges::all_of(users(value), [&](const Node* user) { return nodes.contains(user); });
}

bool Editor::bypass(Node& node, const std::string& value) {
  const std::string name = node.outputs[0];
  if (captured_.contains(name)) return false;
  if (is_output(name)) return take_over_output(node, value);
  for (Node* user : users(name)) {
    for (size_t i = 0; i < user->inputs.size(); ++i) {
      if (user->inputs[i] == name) set_input(*user, i, value);
    }
  }
  return true;
}

void Editor::finish() {
  if (!changed_) return;
  for (Node& node : inserted_) graph_.nodes.push_back(std::move(node));
  remove_dead(graph_);
  order_nodes(graph_, "optimize");
}

}  // namespace embedforge::passes
