#include "quantize/rounding.h"

#include <gtest/gtest.h>

#include <cmath>
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

TEST(RoundToNearest, IsWithinHalfAStep) {
  const Problem p = make_problem();
  const RoundedMatrix rounded = round_to_nearest(p.w, kIn, kOut);
  for (int64_t k = 0; k < kIn; ++k) {
    for (int64_t n = 0; n < kOut; ++n) {
      const float w = p.w[static_cast<size_t>(k * kOut + n)];
      EXPECT_LE(std::fabs(w - rounded.value(k, n)),
                0.501F * rounded.scales[static_cast<size_t>(n)]);
    }
  }
}

TEST(RoundToNearest, TakesAColumnOfZeros) {
  const std::vector<float> w(8, 0.0F);
  const RoundedMatrix rounded = round_to_nearest(w, 4, 2);
  EXPECT_EQ(rounded.value(0, 0), 0);
  EXPECT_GT(rounded.scales[0], 0);
}

TEST(RoundByInputs, HasASmallerErrorInTheOutput) {
  const Problem p = make_problem();
  ThreadPool threads(2);
  const double nearest = output_error(p, round_to_nearest(p.w, kIn, kOut));
  const double by_inputs = output_error(p, round_by_inputs(p.w, kIn, kOut, p.moments, threads));
  EXPECT_LT(by_inputs, 0.5 * nearest);
}

TEST(RoundByInputs, DoesNotDependOnTheThreads) {
  const Problem p = make_problem();
  ThreadPool one(1);
  ThreadPool three(3);
  EXPECT_EQ(round_by_inputs(p.w, kIn, kOut, p.moments, one).q,
            round_by_inputs(p.w, kIn, kOut, p.moments, three).q);
}

TEST(RoundByInputs, TakesChannelsThatNeverVary) {
  Problem p = make_problem();
  std::fill(p.moments.begin(), p.moments.end(), 0.0F);
  ThreadPool threads(1);
  EXPECT_EQ(round_by_inputs(p.w, kIn, kOut, p.moments, threads).q,
            round_to_nearest(p.w, kIn, kOut).q);
}

TEST(RoundByInputs, RefusesWhatIsNotFinite) {
  Problem p = make_problem();
  p.moments[0] = std::numeric_limits<float>::quiet_NaN();
  ThreadPool threads(1);
  EXPECT_THROW(round_by_inputs(p.w, kIn, kOut, p.moments, threads), Error);
}

}  // namespace
}  // namespace embedforge::quantization
