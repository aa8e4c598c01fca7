// The scalar functions that follow linear layers: the one list of them for plans, kernels and
// heads.
#pragma once

#include <optional>
#include <string>

namespace embedforge {

enum class Activation : int { kNone, kGelu, kGeluTanh, kRelu, kSilu, kTanh, kSigmoid };

double activate(Activation activation, double x);

/// By "identity", "gelu", "gelu_tanh", "relu", "silu", "tanh" or "sigmoid".
std::optional<Activation> activation_of(const std::string& name);

}  // namespace embedforge
