// Takes: a graph's layers after its pooling (a classifier). Gives: them computed on one row a text,
// in float. Never: is on the path of tokens.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "plan/program.h"

namespace embedforge {

class PooledLayers {
 public:
  /// Errors: kBadInput when widths don't follow each other.
  explicit PooledLayers(const std::vector<LinearStep>& steps);

  bool empty() const { return layers_.empty(); }
  /// Columns of what comes out for rows of `width`.
  size_t width(size_t width) const;
  /// The layers applied to `count` rows of `width` floats.
  std::vector<float> apply(std::span<const float> rows, size_t count, size_t width) const;

 private:
  struct Layer {
    size_t in = 0, out = 0;
    std::vector<float> weight;  // [out, in]
    std::vector<float> bias;
    Activation activation = Activation::kNone;
  };
  void add(Layer layer, size_t width);
  std::vector<Layer> layers_;
};

}  // namespace embedforge
