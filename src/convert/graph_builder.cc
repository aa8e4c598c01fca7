#include "convert/graph_builder.h"

#include <utility>

namespace embedforge {

std::string GraphBuilder::add(const std::string& name, const std::string& op,
                              std::initializer_list<std::string> inputs, Attributes attributes) {
  graph_.nodes.push_back({name, op, "", inputs, {name}, std::move(attributes)});
  return name;
}

std::string GraphBuilder::constant(const std::string& name, Tensor value) {
  graph_.initializers.emplace(name, std::move(value));
  return name;
}

std::string GraphBuilder::scalar(const std::string& name, float value) {
  return constant(name, Tensor::from_floats({}, {value}));
}

std::string GraphBuilder::integers(const std::string& name, std::vector<int64_t> values) {
  const auto count = static_cast<int64_t>(values.size());
  return constant(name, Tensor::from_ints({count}, std::move(values)));
}

std::string GraphBuilder::linear(const std::string& name, const std::string& input,
                                 const std::string& weight, const std::string& bias) {
  return add(name + ".bias_add", "Add", {add(name + ".matmul", "MatMul", {input, weight}), bias});
}

std::string GraphBuilder::layer_norm(const std::string& name, const std::string& input,
                                     const std::string& gamma, const std::string& beta,
                                     float epsilon) {
  return add(name, "LayerNormalization", {input, gamma, beta},
             {{"axis", int64_t{-1}}, {"epsilon", epsilon}});
}

}  // namespace embedforge
