// Takes: the values of an activation, part by part. Gives: the constant scale and zero point that
// it is rounded with. Never: keeps the values; its memory is one histogram's.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "embedforge/model.h"

namespace embedforge::quantization {

/// real = scale * (q - zero), q in 0..255.
struct StaticRange {
  float scale = 1;
  uint8_t zero = 0;
};

class RangeFinder {
 public:
  /// Adds values, which must be finite. Bins double in width when a value is outside of them.
  void add(std::span<const float> values);
  /// kLeastError gives the bounds, of those that both shrink alike, with the least squared error;
  /// kEntropy, of the same, those with which the rounded values' distribution is nearest to the
  /// values' own; kPercentile leaves 0.001 % of the values out, half at each end.
  StaticRange find(CalibrateMethod method) const;
  double root_mean_square() const;  // of the values that were added

 private:
  struct Bounds {
    double low, high;
  };
  void widen(double reach);
  double bin_low(size_t bin) const;
  Bounds percentile() const;
  double divergence(const Bounds& bounds) const;
  double squared_error(const Bounds& bounds) const;
  /// The bounds, of those that both shrink alike, of which `loss` is least.
  template <typename Loss>
  Bounds least(Loss loss) const;

  static constexpr size_t kBins = 4096;  // of [-reach, reach)
  double reach_ = 0;                     // 0: nothing yet
  float low_ = 0, high_ = 0;             // 0 is always inside, so that it is exact
  std::vector<double> counts_;
  double total_ = 0, squares_ = 0;
};

}  // namespace embedforge::quantization
