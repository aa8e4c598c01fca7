#include "graph/order_nodes.h"

#include <functional>
#include <queue>
#include <set>
#include <unordered_map>

#include "embedforge/error.h"

namespace embedforge {
namespace {

void collect_free_names(const Graph& graph, std::set<std::string>& out) {
  std::set<std::string> defined;
  for (const ValueInfo& input : graph.inputs) defined.insert(input.name);
  for (const auto& [name, tensor] : graph.initializers) defined.insert(name);
  for (const Node& node : graph.nodes) defined.insert(node.outputs.begin(), node.outputs.end());
  const auto use = [&](const std::string& name) {
    if (!name.empty() && !defined.contains(name)) out.insert(name);
  };
  for (const Node& node : graph.nodes) for_each_use(node, use);
  for (const ValueInfo& output : graph.outputs) use(output.name);
}

class Sorter {
 public:
  explicit Sorter(const Graph& graph) : nodes_(graph.nodes) {
    const std::vector<Node>& nodes = graph.nodes;
    std::set<std::string> given;  // what no node makes; one that does so too is verify()'s to name
    for (const ValueInfo& input : graph.inputs) given.insert(input.name);
    for (const auto& [name, tensor] : graph.initializers) given.insert(name);
    for (size_t i = 0; i < nodes.size(); ++i) {
      for (const std::string& name : nodes[i].outputs) {
        if (!name.empty() && !given.contains(name)) producer_.emplace(name, i);
      }
    }
    waits_.resize(nodes.size());
    users_.resize(nodes.size());
    for (size_t i = 0; i < nodes.size(); ++i) {
      for (const size_t before : producers_of(nodes[i])) {
        ++waits_[i];
        users_[before].push_back(i);
      }
    }
  }

  /// The order, which keeps the given one where it can; shorter than the nodes when there is a
  /// cycle.
  std::vector<size_t> order() {
    std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (waits_[i] == 0) ready.push(i);
    }
    std::vector<size_t> out;
    while (!ready.empty()) {
      const size_t next = ready.top();
      ready.pop();
      out.push_back(next);
      for (const size_t user : users_[next]) {
        if (--waits_[user] == 0) ready.push(user);
      }
    }
    return out;
  }

  /// After order() fell short: a node that depends on itself.
  const Node& on_cycle() const {
    size_t at = 0;
    while (waits_[at] == 0) ++at;
    std::vector<bool> seen(nodes_.size());
    while (!seen[at]) {
      seen[at] = true;
      for (const size_t before : producers_of(nodes_[at])) {
        if (waits_[before] == 0) continue;
        at = before;
        break;
      }
    }
    return nodes_[at];
  }

 private:
  std::set<size_t> producers_of(const Node& node) const {
    std::set<size_t> out;
    for_each_use(node, [&](const std::string& name) {
      const auto found = producer_.find(name);
      if (found != producer_.end()) out.insert(found->second);
    });
    return out;
  }

  const std::vector<Node>& nodes_;
  std::unordered_map<std::string, size_t> producer_;
  std::vector<size_t> waits_;
  std::vector<std::vector<size_t>> users_;
};

}  // namespace

void for_each_use(const Node& node, const std::function<void(const std::string&)>& use) {
  for (const std::string& name : node.inputs) {
    if (!name.empty()) use(name);
  }
  for (const auto& [key, value] : node.attributes) {
    const auto* subgraph = std::get_if<std::shared_ptr<Graph>>(&value);
    if (subgraph == nullptr) continue;
    std::set<std::string> names;
    collect_free_names(**subgraph, names);
    for (const std::string& name : names) use(name);
  }
}

void order_nodes(Graph& graph, const std::string& what) {
  for (Node& node : graph.nodes) {
    for (auto& [key, value] : node.attributes) {
      auto* subgraph = std::get_if<std::shared_ptr<Graph>>(&value);
      if (subgraph != nullptr) order_nodes(**subgraph, what);
    }
  }
  Sorter sorter(graph);
  const std::vector<size_t> order = sorter.order();
  if (order.size() != graph.nodes.size()) {
    throw_bad_input(what + ": the graph has a cycle through " + describe(sorter.on_cycle()));
  }
  std::vector<Node> sorted;
  sorted.reserve(order.size());
  for (const size_t i : order) sorted.push_back(std::move(graph.nodes[i]));
  graph.nodes = std::move(sorted);
}

std::string describe(const Node& node) {
  std::string name = node.name;
  for (size_t i = 0; name.empty() && i < node.outputs.size(); ++i) name = node.outputs[i];
  const std::string domain = node.domain.empty() ? "" : node.domain + ".";
  return "node '" + name + "' (" + domain + node.op_type + ")";
}

}  // namespace embedforge
