// Takes: numbers by position. Gives: the angles that they are cosines and sines of. Never: accepts
// angles that don't grow with the position evenly.
#pragma once

#include <optional>
#include <vector>

#include "recognize/form.h"

namespace embedforge::recognize {

using Curve = std::vector<double>;  // by position

/// Radians a position of each pair of channels, as powers of a whole base where they are; nullopt
/// when these are no cosines and sines of such angles.
std::optional<std::vector<float>> frequencies(const std::vector<Curve>& cosines,
                                              const std::vector<Curve>& sines);

/// Picked of a head, whose channels are counted from `first`, as a rotary embedding times `scale`.
std::optional<Rotary> read_rotary(const std::vector<std::vector<Mix::Term>>& columns, int64_t first,
                                  double scale);

}  // namespace embedforge::recognize
