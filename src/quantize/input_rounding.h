// Takes: the inputs of a product over the calibration tokens. Gives: how they become integers, and
// what they are then. Never: sees a graph.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "engine/rows.h"
#include "quantize/ranges.h"

namespace embedforge::quantization {

/// How an activation becomes integers.
struct InputRounding {
  std::vector<int64_t> float_channels;  // ascending; they stay float
  /// What each channel is multiplied by first; 0 for float_channels. Empty: 1 for all.
  std::vector<float> channel_scale;
  std::optional<StaticRange> range;  // nullopt: each row's own
  bool unrounded = false;            // instead: it stays float in the file
};

/// The channels with the largest inputs stay float: they would make the steps of all others coarse.
/// The other channels are brought nearer to each other and their weights further apart
/// (SmoothQuant, Xiao et al. 2023, https://arxiv.org/abs/2211.10438).
/// `largest_weights`: of each channel, x.width values. With `method` the range is constant, unless
/// the values are so uneven that constant steps would be too coarse for most of them: then they
/// stay unrounded.
InputRounding choose_rounding(const Rows& x, std::span<const float> largest_weights,
                              std::optional<CalibrateMethod> method);

/// x becomes what the rounded product sees: channels times their scale, to 255 steps and back;
/// float channels as they were.
void round_inputs(const Rows& x, const InputRounding& rounding);

}  // namespace embedforge::quantization
