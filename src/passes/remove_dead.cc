// Nodes, initializers, value descriptions and imported domains that no output needs.
#include <algorithm>
#include <set>
#include <string>

#include "graph/order_nodes.h"
#include "passes/passes.h"

namespace embedforge::passes {
namespace {

void collect_domains(const Graph& graph, std::set<std::string>& out) {
  for (const Node& node : graph.nodes) {
    out.insert(node.domain);
    for (const auto& [key, value] : node.attributes) {
      const auto* subgraph = std::get_if<std::shared_ptr<Graph>>(&value);
      if (subgraph != nullptr) collect_domains(**subgraph, out);
    }
  }
}

}  // namespace

void remove_dead(Graph& graph) {
  std::set<std::string> needed;
  std::map<std::string, const Node*> makers;
  for (const Node& node : graph.nodes) {
    for (const std::string& name : node.outputs) makers.emplace(name, &node);
  }
  std::set<const Node*> alive;
  std::vector<std::string> open;
  const auto need = [&](const std::string& name) {
    if (!name.empty() && needed.insert(name).second) open.push_back(name);
  };
  for (const ValueInfo& output : graph.outputs) need(output.name);
  while (!open.empty()) {
    const std::string name = std::move(open.back());
    open.pop_back();
    const auto found = makers.find(name);
    if (found == makers.end() || !alive.insert(found->second).second) continue;
    for_each_use(*found->second, need);
  }
  std::vector<Node> kept;
  kept.reserve(alive.size());
  for (Node& node : graph.nodes) {
    if (alive.contains(&node)) kept.push_back(std::move(node));
  }
  graph.nodes = std::move(kept);
  std::erase_if(graph.initializers, [&](const auto& each) { return !needed.contains(each.first); });
  std::erase_if(graph.values, [&](const auto& each) { return !needed.contains(each.first); });
  if (!graph.functions.empty()) return;  // their bodies import domains too
  std::set<std::string> domains = {""};
  collect_domains(graph, domains);
  std::erase_if(graph.opsets, [&](const auto& each) { return !domains.contains(each.first); });
}

}  // namespace embedforge::passes
