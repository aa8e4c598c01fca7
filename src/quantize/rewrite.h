// Takes: a graph and what was decided about its matrices. Gives: the graph with integer products
// and integer embedding tables, in standard operators. Never: decides.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"
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
  RoundedMatrix weight;                 // 0 in the rows of float_channels
  std::vector<int64_t> float_channels;  // ascending
  std::vector<float> float_rows;        // [float_channels, n]
  std::vector<float> bias;              // the new bias; empty: as it was
};

/// The products that can be quantized, without those whose node is in `excluded`. Errors: kBadInput
/// for a graph that is quantized already, and for an excluded name that no MatMul has.
std::vector<Product> find_products(const Graph& graph, const std::vector<std::string>& excluded);

/// Replaces the products by integer ones with a scale and offset per token (the formula is in
/// plan/trace_row_quantized.cc), decided[i] for products[i], and the embedding tables by int8 ones
/// with a scale per row.
void quantize_graph(Graph& graph, const std::vector<Product>& products,
                    const std::vector<QuantizedProduct>& decided);

}  // namespace embedforge::quantization
