#include "recognize/form.h"

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
    for (size_t i = 0; i < kPointCount; ++i)
      out[i] = std::pow(10.0, static_cast<double>(i) / 5 - 4);
    return out;
  }();
  return kPoints;
}

std::vector<int64_t> Constant::dims() const {
  std::vector<int64_t> out = tensor.dims;
  if (transposed) std::reverse(out.begin(), out.end());
  return out;
}

MapOf as_map(const Ref& expression) {
  if (const auto* map = expression->get<Map>()) return {map->in, map->values};
  return {expression, map_points()};
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
    case Activation::kNone:
      break;
  }
  return [](double x) { return x; };
}

std::optional<Activation> as_activation(const Samples& values) {
  // The constants of a float16 file are off by 5e-4, which moves a GELU by 1e-4. The two GELUs
  // differ by 4.7e-4.
  double nearest = 2e-4;
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
