// Takes: the values of an activation, part by part. Gives: the constant scale and zero point that
// it is rounded with. Never: keeps the values; its memory is one histogram's.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace embedforge::quantization {

/// How the bounds of a constant range are found:
///   kLeastError  the bounds, of those that both shrink alike, with the least squared error
///   kMinMax      the smallest and the largest value
///   kPercentile  all but 0.001 % of the values (half at each end)
///   kEntropy     the bounds, of the same, with which the rounded values'
///                distribution is nearest to the values' own (Kullback-Leibler divergence)
enum class RangeMethod { kLeastError, kMinMax, kEntropy, kPercentile };

/// real = scale * (q - zero), q in 0..255.
struct StaticRange {
  float scale = 1;
  uint8_t zero = 0;
};

class RangeFinder {
 public:
  /// Adds values, which must be finite. Bins double in width when a value is outside of them.
  void add(std::span<const float> values);
  StaticRange find(RangeMethod method) const;
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
