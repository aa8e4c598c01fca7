// Takes: operators one after another. Gives: the graph that they make, every node and value named
// after its place. Never: checks types or shapes (verify does).
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace embedforge {

using Attributes = std::map<std::string, Attribute>;

class GraphBuilder {
 public:
  explicit GraphBuilder(Graph& graph) : graph_(graph) {}

  /// Adds a node called `name` with one output of the same name, which is returned.
  std::string add(const std::string& name, const std::string& op,
                  std::initializer_list<std::string> inputs, Attributes attributes = {});

  /// Adds an initializer and returns its name; one that is there already stays.
  std::string constant(const std::string& name, Tensor value);
  std::string scalar(const std::string& name, float value);
  /// A list of integers, as Reshape, Slice and ReduceSum take them.
  std::string integers(const std::string& name, std::vector<int64_t> values);

  /// x * weight + bias: [.., k] -> [.., n]; weight is [k, n].
  std::string linear(const std::string& name, const std::string& input, const std::string& weight,
                     const std::string& bias);
  /// Over the last axis.
  std::string layer_norm(const std::string& name, const std::string& input,
                         const std::string& gamma, const std::string& beta, float epsilon);

 private:
  Graph& graph_;
};

}  // namespace embedforge
