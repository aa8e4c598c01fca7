#include "quantize/rounding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

#include "embedforge/error.h"

namespace embedforge::quantization {
namespace {

constexpr int64_t kIn = 96;
constexpr int64_t kOut = 20;
constexpr int64_t kRows = 400;

struct Problem {
  std::vector<float> x, w, moments;
};

/// Inputs whose channels go together and differ in size, as activations do.
Problem make_problem() {
  std::mt19937 engine(5);
  std::normal_distribution<float> normal;
  Problem p{std::vector<float>(kRows * kIn), std::vector<float>(kIn * kOut),
            std::vector<float>(kIn * kIn)};
  for (float& w : p.w) w = normal(engine);
  for (int64_t r = 0; r < kRows; ++r) {
    const float common = normal(engine);
    for (int64_t c = 0; c < kIn; ++c) {
      const float size = c % 7 == 0 ? 5.0F : 1.0F;
      p.x[static_cast<size_t>(r * kIn + c)] = size * (common + 0.5F * normal(engine));
    }
  }
  for (int64_t i = 0; i < kIn; ++i) {
    for (int64_t j = 0; j < kIn; ++j) {
      for (int64_t r = 0; r < kRows; ++r) {
        p.moments[static_cast<size_t>(i * kIn + j)] +=
            p.x[static_cast<size_t>(r * kIn + i)] * p.x[static_cast<size_t>(r * kIn + j)];
      }
    }
  }
  return p;
}

double output_error(const Problem& p, const RoundedMatrix& rounded) {
  double sum = 0;
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t n = 0; n < kOut; ++n) {
      double difference = 0;
      for (int64_t k = 0; k < kIn; ++k) {
        difference += static_cast<double>(p.x[static_cast<size_t>(r * kIn + k)]) *
                      (p.w[static_cast<size_t>(k * kOut + n)] - rounded.value(k, n));
      }
      sum += difference * difference;
    }
  }
  return std::sqrt(sum);
}

double weight_error(const Problem& p, const RoundedMatrix& rounded) {
  double sum = 0;
  for (int64_t i = 0; i < kIn * kOut; ++i) {
    const double lost = p.w[static_cast<size_t>(i)] - rounded.value(i / kOut, i % kOut);
    sum += lost * lost;
  }
  return sum;
}

TEST(RoundToNearest, HasNoLargerErrorThanStepsForTheLargestWeight) {
  const Problem p = make_problem();
  ThreadPool threads(2);
  double plain = 0;
  for (int64_t n = 0; n < kOut; ++n) {
    float largest = 0;
    for (int64_t k = 0; k < kIn; ++k)
      largest = std::max(largest, std::fabs(p.w[static_cast<size_t>(k * kOut + n)]));
    const double step = largest / 127;
    for (int64_t k = 0; k < kIn; ++k) {
      const double w = p.w[static_cast<size_t>(k * kOut + n)];
      const double lost = w - std::nearbyint(w / step) * step;
      plain += lost * lost;
    }
  }
  EXPECT_LE(weight_error(p, round_to_nearest(p.w, kIn, kOut, {}, WeightRange::kFull, threads)),
            plain * 1.001);
}

TEST(RoundToNearest, TakesAColumnOfZeros) {
  const std::vector<float> w(8, 0.0F);
  ThreadPool threads(3);
  const RoundedMatrix rounded = round_to_nearest(w, 4, 2, {}, WeightRange::kFull, threads);
  EXPECT_EQ(rounded.value(0, 0), 0);
  EXPECT_GT(rounded.scales[0], 0);
}

int largest_pair(const RoundedMatrix& m) {
  int out = 0;
  for (int64_t k = 0; k + 1 < m.k; k += 2) {
    for (int64_t n = 0; n < m.n; ++n) {
      out = std::max(out, std::abs(m.q[static_cast<size_t>(k * m.n + n)] +
                                   m.q[static_cast<size_t>((k + 1) * m.n + n)]));
    }
  }
  return out;
}

TEST(ReducedRange, KeepsNeighboursFromSaturating) {
  const Problem p = make_problem();
  ThreadPool threads(2);
  for (const WeightRange range : {WeightRange::kFull, WeightRange::kReduced}) {
    const int nearest = largest_pair(round_to_nearest(p.w, kIn, kOut, {}, range, threads));
    const int by_inputs = largest_pair(round_by_inputs(p.w, kIn, kOut, p.moments, range, threads));
    EXPECT_EQ(nearest <= 128, range == WeightRange::kReduced) << nearest;
    EXPECT_EQ(by_inputs <= 128, range == WeightRange::kReduced) << by_inputs;
  }
}

TEST(RoundByInputs, HasASmallerErrorInTheOutput) {
  const Problem p = make_problem();
  ThreadPool threads(2);
  const double nearest =
      output_error(p, round_to_nearest(p.w, kIn, kOut, {}, WeightRange::kFull, threads));
  const double by_inputs =
      output_error(p, round_by_inputs(p.w, kIn, kOut, p.moments, WeightRange::kFull, threads));
  EXPECT_LT(by_inputs, 0.5 * nearest);
}

TEST(RoundByInputs, DoesNotDependOnTheThreads) {
  const Problem p = make_problem();
  ThreadPool one(1);
  ThreadPool three(3);
  EXPECT_EQ(round_by_inputs(p.w, kIn, kOut, p.moments, WeightRange::kFull, one).q,
            round_by_inputs(p.w, kIn, kOut, p.moments, WeightRange::kFull, three).q);
}

TEST(RoundByInputs, TakesChannelsThatNeverVary) {
  Problem p = make_problem();
  std::fill(p.moments.begin(), p.moments.end(), 0.0F);
  ThreadPool threads(1);
  const RoundedMatrix rounded =
      round_by_inputs(p.w, kIn, kOut, p.moments, WeightRange::kFull, threads);
  for (int64_t i = 0; i < kIn * kOut; ++i) {
    EXPECT_LE(std::fabs(p.w[static_cast<size_t>(i)] - rounded.value(i / kOut, i % kOut)),
              0.501F * rounded.scales[static_cast<size_t>(i % kOut)]);
  }
}

TEST(RoundByInputs, RefusesWhatIsNotFinite) {
  Problem p = make_problem();
  p.moments[0] = std::numeric_limits<float>::quiet_NaN();
  ThreadPool threads(1);
  EXPECT_THROW(round_by_inputs(p.w, kIn, kOut, p.moments, WeightRange::kFull, threads), Error);
}

}  // namespace
}  // namespace embedforge::quantization
