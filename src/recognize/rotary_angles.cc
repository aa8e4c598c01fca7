#include "recognize/rotary_angles.h"

#include <algorithm>
#include <cmath>

namespace embedforge::recognize {
namespace {

constexpr double kTolerance = 2e-3;  // of cosines and sines; float16 files keep 5e-4

/// Radians a position of a pair whose cosines and sines these are; nullopt when there is none.
std::optional<double> frequency(const Curve& cosines, const Curve& sines) {
  if (cosines.size() < 2 || std::fabs(cosines[0] - 1) > kTolerance) return std::nullopt;
  const auto angle = [&](size_t p) { return std::atan2(sines[p], cosines[p]); };
  constexpr double kTurn = 2 * 3.14159265358979323846;
  double out = angle(1);
  const size_t last = cosines.size() - 1;
  for (size_t p = 2; p < 2 * last; p *= 2) {  // the further, the more exact
    const size_t at = std::min(p, last);
    const auto position = static_cast<double>(at);
    const double turns = std::round((position * out - angle(at)) / kTurn);
    out = (angle(at) + turns * kTurn) / position;
  }
  for (size_t p = 0; p < cosines.size(); ++p) {
    const double expected = static_cast<double>(p) * out;
    if (!(std::fabs(cosines[p] - std::cos(expected)) < kTolerance &&
          std::fabs(sines[p] - std::sin(expected)) < kTolerance)) {
      return std::nullopt;
    }
  }
  return out;
}

/// Measured frequencies that are powers of one whole base, as they were meant.
std::vector<float> rounded_to_base(const std::vector<double>& measured) {
  std::vector<float> out(measured.begin(), measured.end());
  const auto n = static_cast<double>(measured.size());
  if (measured.size() < 2 || measured.back() <= 0) return out;
  const double base = std::round(std::pow(measured.back(), -n / (n - 1)));
  std::vector<float> exact;
  for (size_t i = 0; i < measured.size(); ++i) {
    const double each = std::pow(base, -static_cast<double>(i) / n);
    if (!(std::fabs(each - measured[i]) <= 3e-6 + 1e-4 * each)) return out;
    exact.push_back(static_cast<float>(each));
  }
  return exact;
}

/// The factors of source `from` in a column, divided by `scale`; nullptr when it has none.
std::optional<Curve> factors(const std::vector<Mix::Term>& column, int64_t from, double scale) {
  for (const Mix::Term& term : column) {
    if (term.source != from) continue;
    Curve out = term.factors;
    for (double& value : out) value /= scale;
    return out;
  }
  return std::nullopt;
}

bool same_curve(const Curve& a, const Curve& b, double sign) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (!(std::fabs(a[i] - sign * b[i]) <= 1e-4)) return false;
  }
  return true;
}

}  // namespace

std::optional<std::vector<float>> frequencies(const std::vector<Curve>& cosines,
                                              const std::vector<Curve>& sines) {
  std::vector<double> out;
  for (size_t i = 0; i < cosines.size(); ++i) {
    const auto each = frequency(cosines[i], sines[i]);
    if (!each) return std::nullopt;
    out.push_back(*each);
  }
  return rounded_to_base(out);
}

std::optional<Rotary> read_rotary(const std::vector<std::vector<Mix::Term>>& columns, int64_t first,
                                  double scale) {
  size_t turned = 0;
  while (turned < columns.size() && columns[turned].size() == 2) ++turned;
  const size_t n = turned / 2;
  if (turned % 2 != 0 || turned == 0) return std::nullopt;
  Rotary out;
  const int64_t partner = columns[0][0].source + columns[0][1].source - 2 * first;
  out.interleaved = n > 1 && partner == 1;
  std::vector<Curve> cosines;
  std::vector<Curve> sines;
  for (size_t i = 0; i < n; ++i) {
    const size_t a = out.interleaved ? 2 * i : i;
    const size_t b = out.interleaved ? 2 * i + 1 : i + n;
    const int64_t source_a = first + static_cast<int64_t>(a);
    const int64_t source_b = first + static_cast<int64_t>(b);
    const auto a_a = factors(columns[a], source_a, scale);
    const auto a_b = factors(columns[a], source_b, scale);
    const auto b_a = factors(columns[b], source_a, scale);
    const auto b_b = factors(columns[b], source_b, scale);
    if (!a_a || !a_b || !b_a || !b_b) return std::nullopt;
    if (!same_curve(*a_a, *b_b, 1) || !same_curve(*a_b, *b_a, -1)) return std::nullopt;
    cosines.push_back(*a_a);
    sines.push_back(*b_a);
  }
  for (size_t d = turned; d < columns.size(); ++d) {  // as they were
    const auto same = factors(columns[d], first + static_cast<int64_t>(d), scale);
    if (!same || columns[d].size() != 1 || !same_curve(*same, Curve(same->size(), 1), 1)) {
      return std::nullopt;
    }
  }
  auto values = frequencies(cosines, sines);
  if (!values) return std::nullopt;
  out.frequencies = std::move(*values);
  return out;
}

}  // namespace embedforge::recognize
