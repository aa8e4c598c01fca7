#include "base/activation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace embedforge {
namespace {

constexpr std::array<std::pair<Activation, const char*>, 7> kActivations = {
    {{Activation::kNone, "identity"},
     {Activation::kGelu, "gelu"},
     {Activation::kGeluTanh, "gelu_tanh"},
     {Activation::kRelu, "relu"},
     {Activation::kSilu, "silu"},
     {Activation::kTanh, "tanh"},
     {Activation::kSigmoid, "sigmoid"}}};

}  // namespace

double activate(Activation activation, double x) {
  switch (activation) {
    case Activation::kGelu:
      return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
    case Activation::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kTanh:
      return std::tanh(x);
    case Activation::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::kNone:
      break;
  }
  return x;
}

std::optional<Activation> activation_of(const std::string& name) {
  for (const auto& [activation, known] : kActivations) {
    if (name == known) return activation;
  }
  return std::nullopt;
}

}  // namespace embedforge
