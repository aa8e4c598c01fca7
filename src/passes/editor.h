// Takes: a graph that a pass rewrites. Gives: who makes and who uses each value, and changes that
// keep this true. Never: moves a node before finish().
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "graph/graph.h"

namespace embedforge::passes {

using Attributes = std::map<std::string, Attribute>;
using Names = std::vector<std::string>;

inline constexpr const char* kMicrosoft = "com.microsoft";

class Editor {
 public:
  explicit Editor(Graph& graph);

  Graph& graph() { return graph_; }
  const Graph& graph() const { return graph_; }
  std::vector<Node>& nodes() { return graph_.nodes; }
  int64_t opset() const;

  /// nullptr for what no node makes: inputs, initializers, "".
  Node* maker(const std::string& value) const;
  /// The maker, when it is that standard operator.
  Node* maker(const std::string& value, const char* op) const;
  /// Nodes of this graph that have the value among their inputs, each once.
  std::vector<Node*> users(const std::string& value) const;
  /// Every use: inputs of nodes, subgraphs, the graph's outputs.
  size_t use_count(const std::string& value) const;
  bool is_output(const std::string& value) const { return outputs_.contains(value); }

  /// An initializer or the value of a Constant node.
  const Tensor* constant(const std::string& value) const;
  /// A constant of one element.
  std::optional<double> scalar(const std::string& value) const;
  /// A constant's integers.
  std::optional<std::vector<int64_t>> integers(const std::string& value) const;

  /// A name like `hint` that nothing has.
  std::string fresh(const std::string& hint);
  std::string add_constant(const std::string& hint, Tensor value);
  /// A new node with one output, called `hint` or like it, somewhere before the nodes that use it.
  std::string insert(const std::string& hint, const std::string& op, Names inputs,
                     Attributes attributes = {}, const std::string& domain = "");
  /// Makes the node another one; its outputs keep their names (those beyond the first are dropped).
  void rewrite(Node& node, const std::string& op, Names inputs, Attributes attributes = {},
               const std::string& domain = "");
  void set_input(Node& node, size_t i, const std::string& value);
  /// Everything that used the node's first output uses `value` instead. False, and nothing changes,
  /// where names forbid it (both are outputs, or a subgraph has it).
  bool bypass(Node& node, const std::string& value);

  /// The value `from` makes first is made by `to`, as its output `i`; `from` is dead.
  void move_output(Node& from, Node& to, size_t i);

  /// `to` and what it is made from, down to the value `from` (a few nodes: an operator written
  /// out).
  std::set<const Node*> nodes_between(const std::string& from, const Node& to) const;
  /// No other node, subgraph or output needs it.
  bool only_used_by(const std::string& value, const std::set<const Node*>& nodes) const;

  /// Puts new nodes in their places and removes dead ones. The editor is of no use afterwards.
  void finish();

 private:
  void forget_use(const std::string& value, const Node& node);
  bool take_over_output(Node& node, const std::string& taken);

  Graph& graph_;
  std::deque<Node> inserted_;
  std::unordered_map<std::string, Node*> makers_;
  std::unordered_map<std::string, std::vector<Node*>> users_;  // one entry for each input
  std::set<std::string> outputs_;
  std::map<std::string, size_t> captured_;  // by subgraphs
  std::set<std::string> taken_;
  bool changed_ = false;
};

/// True for the standard operator `op`.
bool is_op(const Node& node, const char* op);

}  // namespace embedforge::passes
