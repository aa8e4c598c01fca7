// Takes: products as they were decided, and a cosine that is asked for. Gives: the products that
// stay float for it. Never: decides anew.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "embedforge/model.h"
#include "plan/program.h"
#include "quantize/rewrite.h"
#include "quantize/texts.h"

namespace embedforge::quantization {

struct TargetSearch {
  const Graph& original;
  const std::vector<Product>& products;
  const std::vector<QuantizedProduct>& decided;
  const Tokens& held;                  // that cosines are taken of
  const std::vector<float>& expected;  // the float model's sentence embeddings of them
  const std::vector<HeadStep>& head;   // that they are made by
  int threads;
  double target;
  const std::function<void(const std::string&, size_t, size_t)>& progress;
};

/// The graph quantized but for the products with kept[i].
Graph keep_float(const Graph& original, const std::vector<Product>& products,
                 const std::vector<QuantizedProduct>& decided, const std::vector<bool>& kept);

/// Which products stay float, and `chosen`, the same with what each gains. Each product is first
/// tried alone; then the fewest of those that gain most are searched by halving. `reached`: the
/// mean cosine without any. All of them when even that doesn't reach the target.
std::vector<bool> search_target(const TargetSearch& search, double reached,
                                std::vector<FloatLayer>& chosen);

}  // namespace embedforge::quantization
