// Takes: layers that come after the pooling (Dense modules, a classifier). Gives: them computed on
// one row a text, in float. Never: is on the path of tokens.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "config/model_config.h"
#include "plan/program.h"

namespace embedforge {

class PooledLayers {
 public:
  PooledLayers() = default;
  /// A graph's own. Errors: kBadInput when widths don't follow each other.
  explicit PooledLayers(const std::vector<LinearStep>& steps);
  /// Those of modules.json. Errors: as read_dense_weights().
  PooledLayers(const std::vector<DenseModule>& modules, size_t width);

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
