#include "quantize/input_rounding.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace embedforge::quantization {
namespace {

/// Channels of an input that stay float. More gain little: docs/quantization.md.
constexpr int64_t kFloatChannels = 8;
constexpr int64_t kChannelsForOne = 32;  // at most one in so many
constexpr double kSmoothing = 0.5;       // of activations whose rows have their own ranges
/// With a constant range more can be better, since its steps are coarser than the weights'; or not,
/// where each text has large values in other channels. Both are tried, and wider ranges.
constexpr std::array kStrengths = {0.5, 0.65, 0.8};
constexpr std::array kMargins = {1.0F, 1.2F, 1.4F};
/// A range that is more than so many times the values' root mean square is too coarse. That of
/// normal values is 7; norms' and attention's outputs have 8 to 15, those of GELU 18 to 26.
constexpr double kWidestRange = 16;

std::vector<float> largest_by_channel(const Rows& x) {
  std::vector<float> largest(x.width, 0);
  for (size_t r = 0; r < x.count; ++r) {
    for (size_t c = 0; c < x.width; ++c) largest[c] = std::max(largest[c], std::fabs(x.row(r)[c]));
  }
  return largest;
}

std::vector<int64_t> largest_channels(const std::vector<float>& largest) {
  std::vector<int64_t> order(largest.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto width = static_cast<int64_t>(largest.size());
  const int64_t count = std::min(kFloatChannels, width / kChannelsForOne);
  std::partial_sort(order.begin(), order.begin() + count, order.end(), [&](int64_t a, int64_t b) {
    return largest[static_cast<size_t>(a)] > largest[static_cast<size_t>(b)];
  });
  order.resize(static_cast<size_t>(count));
  std::sort(order.begin(), order.end());
  return order;
}

/// weight^(1 - s) / input^s for each channel, 1 on (geometric) average, 0 for the float channels.
std::vector<float> smoothing(double strength, const std::vector<float>& inputs,
                             std::span<const float> weights,
                             const std::vector<int64_t>& float_channels) {
  std::vector<double> logs(inputs.size());
  for (size_t c = 0; c < logs.size(); ++c) {
    logs[c] = (1 - strength) * std::log(std::max(weights[c], 1e-6F)) -
              strength * std::log(std::max(inputs[c], 1e-5F));
  }
  const double mean =
      std::accumulate(logs.begin(), logs.end(), 0.0) / static_cast<double>(logs.size());
  std::vector<float> out;
  out.reserve(logs.size());
  for (const double log : logs) out.push_back(static_cast<float>(std::exp(log - mean)));
  for (const int64_t channel : float_channels) out[static_cast<size_t>(channel)] = 0;
  return out;
}

void scale_row(float* row, const std::vector<float>& factors) {
  for (size_t c = 0; c < factors.size(); ++c) row[c] *= factors[c];
}

RangeFinder scaled_range(const Rows& x, const std::vector<float>& factors) {
  RangeFinder finder;
  std::vector<float> row(factors.size());
  for (size_t r = 0; r < x.count; ++r) {
    std::copy_n(x.row(r), row.size(), row.begin());
    scale_row(row.data(), factors);
    finder.add(row);
  }
  return finder;
}

bool is_uneven(const RangeFinder& values) {
  const double steps = 255;
  return steps * values.find(CalibrateMethod::kLeastError).scale >
         kWidestRange * values.root_mean_square();
}

void round_row_by_its_range(float* row, size_t width) {
  const auto [low, high] = std::minmax_element(row, row + width);
  const float offset = *low;
  const float step = std::max((*high - offset) / 255.0F, 1e-15F);
  for (size_t c = 0; c < width; ++c)
    row[c] = offset + step * std::nearbyint((row[c] - offset) / step);
}

void round_row_by(float* row, size_t width, const StaticRange& range) {
  const auto zero = static_cast<float>(range.zero);
  for (size_t c = 0; c < width; ++c) {
    const float q = std::clamp(std::nearbyint(row[c] / range.scale) + zero, 0.0F, 255.0F);
    row[c] = (q - zero) * range.scale;
  }
}

/// The mean square of what rounding loses of the rows, each channel times its largest weight.
double lost(const Rows& x, const std::vector<float>& factors, const StaticRange& range,
            std::span<const float> weights) {
  std::vector<float> row(factors.size());
  std::vector<float> rounded(factors.size());
  double sum = 0;
  for (size_t r = 0; r < x.count; ++r) {
    std::copy_n(x.row(r), row.size(), row.begin());
    scale_row(row.data(), factors);
    rounded = row;
    round_row_by(rounded.data(), row.size(), range);
    float squares = 0;
    for (size_t c = 0; c < row.size(); ++c) {
      const float each = factors[c] > 0 ? (rounded[c] - row[c]) / factors[c] * weights[c] : 0;
      squares += each * each;
    }
    sum += squares;
  }
  return sum;
}

StaticRange widened(StaticRange range, float margin) {
  range.scale *= margin;
  return range;
}

struct ConstantRounding {
  double strength;
  float margin;
};

/// Of all that are tried the one that, decided by the first half of the rows, loses least of the
/// others: texts that aren't calibrated with have larger values in some channels, too.
ConstantRounding choose_constant(const Rows& x, std::span<const float> weights,
                                 const std::vector<int64_t>& float_channels,
                                 CalibrateMethod method) {
  const Rows first = x.part(0, x.count / 2);
  const Rows second = x.part(x.count / 2, x.count);
  const std::vector<float> largest = largest_by_channel(first);
  ConstantRounding best{kStrengths[0], kMargins[0]};
  double least = std::numeric_limits<double>::max();
  for (const double strength : kStrengths) {
    const std::vector<float> factors = smoothing(strength, largest, weights, float_channels);
    const StaticRange range = scaled_range(first, factors).find(method);
    for (const float margin : kMargins) {
      const double l = lost(second, factors, widened(range, margin), weights);
      if (l >= least) continue;
      least = l;
      best = {strength, margin};
    }
  }
  return best;
}

}  // namespace

InputRounding choose_rounding(const Rows& x, std::span<const float> largest_weights,
                              std::optional<CalibrateMethod> method) {
  InputRounding out;
  const std::vector<float> largest = largest_by_channel(x);
  out.float_channels = largest_channels(largest);
  out.channel_scale = smoothing(kSmoothing, largest, largest_weights, out.float_channels);
  if (!method) return out;
  if (is_uneven(scaled_range(x, out.channel_scale))) {
    out.unrounded = true;
    return out;
  }
  const auto [strength, margin] = choose_constant(x, largest_weights, out.float_channels, *method);
  out.channel_scale = smoothing(strength, largest, largest_weights, out.float_channels);
  out.range = widened(scaled_range(x, out.channel_scale).find(*method), margin);
  return out;
}

void round_inputs(const Rows& x, const InputRounding& rounding) {
  std::vector<float> kept(rounding.float_channels.size());
  for (size_t r = 0; r < x.count; ++r) {
    float* row = x.row(r);
    for (size_t j = 0; j < kept.size(); ++j) kept[j] = row[rounding.float_channels[j]];
    scale_row(row, rounding.channel_scale);
    if (rounding.unrounded) {
      // exact in the file; the native engine gives each row its own range
    } else if (rounding.range) {
      round_row_by(row, x.width, *rounding.range);
    } else {
      round_row_by_its_range(row, x.width);
    }
    for (size_t j = 0; j < kept.size(); ++j) row[rounding.float_channels[j]] = kept[j];
  }
}

}  // namespace embedforge::quantization
