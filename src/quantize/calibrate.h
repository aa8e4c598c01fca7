// Takes: a program and calibration tokens. Gives: the decision about each product of the graph.
// Never: changes the graph.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/threads.h"
#include "engine/engine.h"
#include "graph/graph.h"
#include "quantize/rewrite.h"

namespace embedforge::quantization {

struct Calibrated {
  std::vector<QuantizedProduct> products;  // as `products` were given
  std::vector<double> errors;              // |x w - x' w'| / |x w| of each
};

/// Rounds each product by the inputs that it gets from the products before it, which are rounded
/// already, so that later ones make up for the errors of earlier ones. The channels with the
/// largest activations stay float; the mean error goes into the bias.
Calibrated calibrate(const Graph& graph, const std::vector<Product>& products,
                     const TokenBatch& batch, ThreadPool& threads,
                     const std::function<void(size_t, size_t)>& progress);

}  // namespace embedforge::quantization
