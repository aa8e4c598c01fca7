#include "quantize/ranges.h"

#include <algorithm>
#include <cmath>

namespace embedforge::quantization {
namespace {

constexpr double kLeftOut = 1e-5;  // of the values, by kPercentile
constexpr int kSteps = 255;

StaticRange range_of(double low, double high) {
  const double scale = std::max((high - low) / kSteps, 1e-12);
  const double zero = std::clamp(std::nearbyint(-low / scale), 0.0, static_cast<double>(kSteps));
  return {static_cast<float>(scale), static_cast<uint8_t>(zero)};
}

}  // namespace

void RangeFinder::widen(double reach) {
  if (reach_ == 0) {
    reach_ = std::exp2(std::ceil(std::log2(std::max(reach, 1e-30)) + 1e-9));
    counts_.assign(kBins, 0);
  }
  while (reach >= reach_) {  // pairs of bins, from the middle outwards, become one
    std::vector<double> merged(kBins, 0);
    for (size_t i = 0; i < kBins; ++i) merged[kBins / 4 + i / 2] += counts_[i];
    counts_ = std::move(merged);
    reach_ *= 2;
  }
}

void RangeFinder::add(std::span<const float> values) {
  if (values.empty()) return;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  low_ = std::min(low_, *low);
  high_ = std::max(high_, *high);
  widen(std::max<double>(-low_, high_));
  const double per_bin = kBins / (2 * reach_);
  for (const float v : values) {
    const auto bin = static_cast<int64_t>(std::floor((v + reach_) * per_bin));
    ++counts_[static_cast<size_t>(std::clamp<int64_t>(bin, 0, kBins - 1))];
    squares_ += static_cast<double>(v) * v;
  }
  total_ += static_cast<double>(values.size());
}

double RangeFinder::bin_low(size_t bin) const {
  return -reach_ + 2 * reach_ * static_cast<double>(bin) / kBins;
}

RangeFinder::Bounds RangeFinder::percentile() const {
  const double least = total_ * kLeftOut / 2;
  size_t first = 0;
  size_t last = kBins - 1;
  double below = counts_[first];
  while (below <= least && first < last) below += counts_[++first];
  double above = counts_[last];
  while (above <= least && last > first) above += counts_[--last];
  return {std::min(0.0, std::max<double>(low_, bin_low(first))),
          std::max(0.0, std::min<double>(high_, bin_low(last + 1)))};
}

/// sum p log(p / q): p is the histogram with what is outside of the bounds in the bins at them, q
/// is what 256 steps keep of it: each step's mass spread evenly over its bins that have any.
double RangeFinder::divergence(const Bounds& bounds) const {
  const double step = (bounds.high - bounds.low) / kSteps;
  std::vector<double> mass(kSteps + 1, 0);
  std::vector<double> bins(kSteps + 1, 0);
  const auto step_of = [&](size_t bin) {
    const double middle = (bin_low(bin) + bin_low(bin + 1)) / 2;
    return static_cast<size_t>(std::clamp((middle - bounds.low) / step, 0.0, 255.0));
  };
  const auto inside = [&](size_t bin) {
    return bin_low(bin + 1) > bounds.low && bin_low(bin) < bounds.high;
  };
  double first = 0;
  double last = 0;
  for (size_t i = 0; i < kBins; ++i) {
    if (counts_[i] == 0) continue;
    if (!inside(i)) {
      (bin_low(i) < bounds.low ? first : last) += counts_[i];
      continue;
    }
    mass[step_of(i)] += counts_[i];
    ++bins[step_of(i)];
  }
  double out = 0;
  const double inner = std::max(1.0, total_ - first - last);
  for (size_t i = 0; i < kBins; ++i) {
    if (counts_[i] == 0 || !inside(i)) continue;
    double p = counts_[i];
    const size_t at = step_of(i);
    if (at == 0) p += first / bins[at];
    if (at == kSteps) p += last / bins[at];
    const double q = mass[at] / bins[at];
    out += p / total_ * std::log(p / total_ / (q / inner));
  }
  return out;
}

/// Inside of the bounds a twelfth of a step's square, outside the distance to them.
double RangeFinder::squared_error(const Bounds& bounds) const {
  const double step = (bounds.high - bounds.low) / kSteps;
  double out = 0;
  for (size_t i = 0; i < kBins; ++i) {
    if (counts_[i] == 0) continue;
    const double middle = (bin_low(i) + bin_low(i + 1)) / 2;
    const double outside = std::max({0.0, bounds.low - middle, middle - bounds.high});
    out += counts_[i] * (outside * outside + step * step / 12);
  }
  return out;
}

template <typename Loss>
RangeFinder::Bounds RangeFinder::least(Loss loss) const {
  Bounds best{low_, high_};
  double least = loss(best);
  for (int percent = 98; percent > 20; percent -= 2) {
    const double part = percent / 100.0;
    const Bounds bounds{low_ * part, high_ * part};
    const double d = loss(bounds);
    if (d >= least) continue;
    least = d;
    best = bounds;
  }
  return best;
}

double RangeFinder::root_mean_square() const {
  return total_ > 0 ? std::sqrt(squares_ / total_) : 0;
}

StaticRange RangeFinder::find(CalibrateMethod method) const {
  if (low_ == high_) return range_of(0, 1);
  if (method == CalibrateMethod::kMinMax) return range_of(low_, high_);
  Bounds b = percentile();
  if (method == CalibrateMethod::kEntropy)
    b = least([this](const Bounds& bounds) { return divergence(bounds); });
  if (method == CalibrateMethod::kLeastError)
    b = least([this](const Bounds& bounds) { return squared_error(bounds); });
  return b.low < b.high ? range_of(b.low, b.high) : range_of(low_, high_);
}

}  // namespace embedforge::quantization
