#include "recognize/function.h"

#include <algorithm>
#include <cmath>

namespace embedforge::recognize {
namespace {

constexpr double kHalf = 0.5;

double gelu(double x) { return kHalf * x * (1 + std::erf(x / std::sqrt(2.0))); }
double gelu_tanh(double x) {
  const double inner = std::sqrt(2.0 / std::acos(-1.0)) * (x + 0.044715 * x * x * x);
  return kHalf * x * (1 + std::tanh(inner));
}
double silu(double x) { return x / (1 + std::exp(-x)); }
double relu(double x) { return std::max(x, 0.0); }
double hyperbolic(double x) { return std::tanh(x); }

/// The largest difference from f, relative to the point where that is over 1.
double distance(const Samples& values, double (*f)(double)) {
  const Samples& points = map_points();
  double worst = 0;
  for (size_t i = 0; i < kPointCount; ++i) {
    const double here = std::fabs(values[i] - f(points[i])) / std::max(1.0, std::fabs(points[i]));
    worst = std::isnan(here) ? HUGE_VAL : std::max(worst, here);
  }
  return worst;
}

}  // namespace

const Samples& map_points() {
  static const Samples kPoints = [] {
    Samples out{};
    for (size_t i = 0; i < kPointCount; ++i) out[i] = (static_cast<double>(i) - 20) * 0.37;
    return out;
  }();
  return kPoints;
}

const Samples& stat_points() {
  static const Samples kPoints = [] {
    Samples out{};
    for (size_t i = 0; i < kPointCount; ++i) {
      out[i] = std::pow(10.0, static_cast<double>(i) / 5 - 4);
    }
    out[0] = 1e-30;  // where 1 / sqrt(s + epsilon) shows epsilon without rounding
    return out;
  }();
  return kPoints;
}

bool is_itself(const Samples& values) {
  return std::equal(values.begin() + 1, values.end(), stat_points().begin() + 1);
}

Samples squared(const Samples& values) {
  Samples out{};
  for (size_t i = 0; i < kPointCount; ++i) out[i] = values[i] * values[i];
  return out;
}

std::optional<double> as_factor(const Samples& values) {
  const Samples& points = map_points();
  const double factor = values.back() / points.back();
  for (size_t i = 0; i < kPointCount; ++i) {
    if (!(std::fabs(values[i] - factor * points[i]) <=
          1e-9 * std::fabs(factor * points[i]) + 1e-12)) {
      return std::nullopt;
    }
  }
  return factor;
}

std::optional<double> as_epsilon(const Samples& factor) {
  const Samples& points = stat_points();
  const double epsilon = 1 / (factor[0] * factor[0]) - points[0];
  for (size_t i = 0; i < kPointCount; ++i) {
    const double expected = 1 / std::sqrt(points[i] + epsilon);
    if (!(std::fabs(factor[i] - expected) <= 1e-7 * expected)) return std::nullopt;
  }
  if (epsilon < -1e-12 || epsilon > 1) return std::nullopt;
  return std::max(epsilon, 0.0);
}

bool is_inverse_root(const Samples& factor) {
  for (size_t i = 1; i < kPointCount; ++i) {
    const double expected = 1 / std::sqrt(stat_points()[i]);
    if (!(std::fabs(factor[i] - expected) <= 1e-6 * expected)) return false;
  }
  return true;
}

double (*activation_function(Activation activation))(double) {
  switch (activation) {
    case Activation::kGelu:
      return gelu;
    case Activation::kGeluTanh:
      return gelu_tanh;
    case Activation::kRelu:
      return relu;
    case Activation::kSilu:
      return silu;
    case Activation::kTanh:
      return hyperbolic;
    case Activation::kSigmoid:
    case Activation::kNone:
      break;
  }
  return [](double x) { return x; };
}

std::optional<Activation> as_activation(const Samples& values, double tolerance) {
  double nearest = tolerance;
  std::optional<Activation> out;
  for (const Activation each : {Activation::kGelu, Activation::kGeluTanh, Activation::kRelu,
                                Activation::kSilu, Activation::kTanh}) {
    const double here = distance(values, activation_function(each));
    if (here >= nearest) continue;
    nearest = here;
    out = each;
  }
  return out;
}

}  // namespace embedforge::recognize
