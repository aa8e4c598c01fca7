// Takes: the seconds of rounds in which two engines took turns. Gives: how many times as fast one
// is, with an interval. Never: compares figures of different rounds.
#pragma once

#include <span>

namespace embedforge::benchmarking {

/// The geometric mean of the rounds' ratios.
struct Ratio {
  double value = 0;
  double low = 0, high = 0;  // equal to the value when there is one round only
};

/// base[i] / other[i], with the 95 % interval of a paired t test on the logarithms of the ratios
/// (n - 1 degrees of freedom).
Ratio paired_ratio(std::span<const double> base, std::span<const double> other);

double median(std::span<const double> values);

}  // namespace embedforge::benchmarking
