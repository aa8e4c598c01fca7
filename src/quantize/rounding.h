// Takes: a float matrix, and what is known of its inputs. Gives: int8 with a scale per column.
// Never: sees a graph.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/threads.h"

namespace embedforge::quantization {

/// The integers that weights may become.
enum class WeightRange {
  kFull,  // -127..127
  /// The same, and of the weights 2i and 2i + 1 of a column those of one sign sum to 128 at most:
  /// vpmaddubsw never saturates, so that ONNX Runtime's u8s8 products are exact on AVX2 without
  /// VNNI. Steps are about 1.3 times as large.
  kReduced,
};

/// w(k, n) ~ scales[n] * q[k * n_count + n], symmetric.
struct RoundedMatrix {
  int64_t k = 0, n = 0;
  WeightRange range = WeightRange::kFull;
  std::vector<int8_t> q;
  std::vector<float> scales;

  float value(int64_t row, int64_t column) const {
    return scales[static_cast<size_t>(column)] *
           static_cast<float>(q[static_cast<size_t>(row * n + column)]);
  }
};

/// Each weight to the nearest step, with the steps of a column chosen for the least sum of
/// importance[k] * error^2 ("" or k values: the mean square of each input). `w`: [k, n].
RoundedMatrix round_to_nearest(std::span<const float> w, int64_t k, int64_t n,
                               std::span<const float> importance, WeightRange range,
                               ThreadPool& threads);

/// One row of n values, symmetric: the largest is 127 steps. Gives the step.
float round_row(std::span<const float> row, int8_t* q);

/// GPTQ (Frantar et al. 2023, https://arxiv.org/abs/2210.17323): channels are rounded one after
/// another, those with the largest inputs first, and each one's error is made up for by the weights
/// that are still to be rounded, so that |X (w - w')| is least. `moments`: X^T X, [k, k], of the
/// inputs X. Errors: kBadInput for moments that are not finite.
RoundedMatrix round_by_inputs(std::span<const float> w, int64_t k, int64_t n,
                              std::span<const float> moments, WeightRange range,
                              ThreadPool& threads);

}  // namespace embedforge::quantization
