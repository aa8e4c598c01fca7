// Takes: a graph whose nodes are in any order. Gives: them in topological order, otherwise as they
// were. Never: drops or renames.
#pragma once

#include <functional>
#include <string>

#include "graph/graph.h"

namespace embedforge {

/// Calls `use` with each value that the node needs from the graph it is in: its inputs, and what
/// its subgraphs take from outside.
void for_each_use(const Node& node, const std::function<void(const std::string&)>& use);

/// Subgraphs too. Error: kBadInput that names a node of a cycle; `what` is the file, for the
/// message.
void order_nodes(Graph& graph, const std::string& what);

/// "node 'name' (OpType)", or its first output's name where it has none of its own.
std::string describe(const Node& node);

}  // namespace embedforge
