// Takes: a scalar function as its values at some points. Gives: which activation, factor or epsilon
// it is. Never: asks which operators computed it.
#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "base/activation.h"

namespace embedforge::recognize {

/// A scalar function, as its values at map_points() (of an element) or stat_points() (of a row's
/// mean, variance ..).
inline constexpr size_t kPointCount = 41;
using Samples = std::array<double, kPointCount>;
const Samples& map_points();   // both signs, 0 included
const Samples& stat_points();  // positive; the first next to nothing

/// f(s) = s but for the very small, of a row's number
bool is_itself(const Samples& values);
Samples squared(const Samples& values);
/// in * factor, when the values are that of a straight line through 0.
std::optional<double> as_factor(const Samples& values);
/// The epsilon of factor(s) = 1 / sqrt(s + epsilon); nullopt for other functions.
std::optional<double> as_epsilon(const Samples& factor);
/// factor(s) = 1 / sqrt(s) but for the very small
bool is_inverse_root(const Samples& factor);

/// The constants of a float16 file are off by 5e-4, which moves a GELU by 1e-4. The two GELUs
/// differ by 4.7e-4.
inline constexpr double kHalfTolerance = 2e-4;
double (*activation_function(Activation activation))(double);
/// nullopt when no activation has these values.
std::optional<Activation> as_activation(const Samples& values, double tolerance = kHalfTolerance);

}  // namespace embedforge::recognize
