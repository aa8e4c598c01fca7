// Takes: a graph and calibration tokens. Gives: the decision about each product of the graph.
// Never: changes the graph.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/threads.h"
#include "base/token_batch.h"
#include "graph/graph.h"
#include "quantize/ranges.h"
#include "quantize/rewrite.h"

namespace embedforge::quantization {

struct CalibrateOptions {
  bool by_inputs = true;  // false: weights are rounded to nearest, in a tenth of the time
  WeightRange weights = WeightRange::kFull;
  std::optional<CalibrateMethod> ranges;         // of the inputs; nullopt: each token's own
  std::function<void(size_t, size_t)> progress;  // finished products, all; or none
};

struct Calibrated {
  std::vector<QuantizedProduct> products;  // as `products` were given
  std::vector<double> errors;              // |x w - x' w'| / |x w| of each
};

/// Rounds each product by the inputs that it gets from the products before it, which are rounded
/// already, so that later ones make up for the errors of earlier ones. How inputs become integers
/// is in input_rounding.h; the mean error goes into the bias. Products that the program doesn't
/// have as they are keep an empty weight. Errors: kNotSupported for a graph that can't run here.
Calibrated calibrate(const Graph& graph, const std::vector<Product>& products,
                     const TokenBatch& batch, ThreadPool& threads, const CalibrateOptions& options);

}  // namespace embedforge::quantization
