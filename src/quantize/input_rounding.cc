#include "quantize/input_rounding.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace embedforge::quantization {
namespace {

/// Channels of an input that stay float. More gain little: docs/quantization.md.
constexpr int64_t kFloatChannels = 8;
constexpr int64_t kChannelsForOne = 32;  // at most one in so many
constexpr double kSmoothing = 0.5;

std::vector<float> largest_by_channel(const Rows& x) {
  std::vector<float> largest(static_cast<size_t>(x.width), 0);
  for (int64_t r = 0; r < x.rows; ++r) {
    for (size_t c = 0; c < largest.size(); ++c)
      largest[c] = std::max(largest[c], std::fabs(x.row(r)[c]));
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
std::vector<float> smoothing(const std::vector<float>& inputs, std::span<const float> weights,
                             const std::vector<int64_t>& float_channels) {
  std::vector<double> logs(inputs.size());
  for (size_t c = 0; c < logs.size(); ++c) {
    logs[c] = (1 - kSmoothing) * std::log(std::max(weights[c], 1e-6F)) -
              kSmoothing * std::log(std::max(inputs[c], 1e-5F));
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

}  // namespace

InputRounding choose_rounding(const Rows& x, std::span<const float> largest_weights,
                              std::optional<RangeMethod> method) {
  InputRounding out;
  const std::vector<float> largest = largest_by_channel(x);
  out.float_channels = largest_channels(largest);
  out.channel_scale = smoothing(largest, largest_weights, out.float_channels);
  if (!method) return out;
  RangeFinder finder;
  std::vector<float> row(static_cast<size_t>(x.width));
  for (int64_t r = 0; r < x.rows; ++r) {
    std::copy_n(x.row(r), x.width, row.begin());
    scale_row(row.data(), out.channel_scale);
    finder.add(row);
  }
  out.range = finder.find(*method);
  return out;
}

void round_inputs(Rows& x, const InputRounding& rounding) {
  const auto width = static_cast<size_t>(x.width);
  std::vector<float> kept(rounding.float_channels.size());
  for (int64_t r = 0; r < x.rows; ++r) {
    float* row = x.row(r);
    for (size_t j = 0; j < kept.size(); ++j) kept[j] = row[rounding.float_channels[j]];
    scale_row(row, rounding.channel_scale);
    if (rounding.range) {
      round_row_by(row, width, *rounding.range);
    } else {
      round_row_by_its_range(row, width);
    }
    for (size_t j = 0; j < kept.size(); ++j) row[rounding.float_channels[j]] = kept[j];
  }
}

}  // namespace embedforge::quantization
