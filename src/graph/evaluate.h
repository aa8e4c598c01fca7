// Takes: a node and the values of its inputs. Gives: the values of its outputs. Never: is fast; it
// serves constants, shapes and masks.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "graph/graph.h"

namespace embedforge {

/// True for the operators that evaluate() knows: shapes, data movement, elementwise, reductions,
/// MatMul, casts and quantization.
bool can_evaluate(const Node& node);

/// `inputs` are in the node's order, nullptr for one that is left out; `opset` is the version of
/// the standard operators. Float arithmetic is done in double and rounded once per operator.
/// Errors: kNotSupported (operator or attribute that it doesn't know, a result of more than 2^26
/// elements that is also larger than 4 times its inputs), kBadInput (shapes or indices that
/// contradict each other); both name the node.
std::vector<Tensor> evaluate(const Node& node, std::span<const Tensor* const> inputs,
                             int64_t opset);

}  // namespace embedforge
