// Takes: a graph and what was decided about its matrices. Gives: the graph with integer products
// and integer embedding tables, in standard operators. Never: decides.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "quantize/input_rounding.h"
#include "quantize/rounding.h"

namespace embedforge::quantization {

/// A MatMul of tokens' values with a constant matrix, which one node alone uses.
struct Product {
  std::string node;    // its name, or its output's where it has none
  std::string weight;  // the initializer, [k, n]
  std::string bias;    // the initializer [n] that is added to the result; "" for none
  int64_t k = 0, n = 0;
};

/// What becomes of a product.
struct QuantizedProduct {
  RoundedMatrix weight;  // of the scaled channels; 0 in the rows of the float ones
  InputRounding input;
  std::vector<uint16_t> float_rows;  // the float channels' rows as float16, [float_channels, n]
  std::vector<float> bias;           // the new bias; empty: as it was
};

/// The products that can be quantized, without those whose node is in `excluded`. Errors: kBadInput
/// for a graph that is quantized already, and for an excluded name that no MatMul has.
std::vector<Product> find_products(const Graph& graph, const std::vector<std::string>& excluded);

/// Replaces the products by integer ones (write_product.h), decided[i] for products[i], and the
/// embedding tables by int8 ones with a scale per row; tables that are sliced become float16.
void quantize_graph(Graph& graph, const std::vector<Product>& products,
                    const std::vector<QuantizedProduct>& decided);

}  // namespace embedforge::quantization
