#include "benchmark/ratio.h"

#include <gtest/gtest.h>

#include <vector>

namespace embedforge::benchmarking {
namespace {

// scipy: g = np.log([2.2, 1.8, 2.0]); np.exp(scipy.stats.t.interval(0.95, 2, g.mean(),
// scipy.stats.sem(g)))
TEST(PairedRatio, HasTheIntervalOfAPairedTTestOnLogarithms) {
  const std::vector<double> base = {2.2, 3.6, 1.0};
  const std::vector<double> other = {1.0, 2.0, 0.5};
  const Ratio ratio = paired_ratio(base, other);
  EXPECT_NEAR(ratio.value, 1.993311, 1e-6);
  EXPECT_NEAR(ratio.low, 1.5534, 1e-3);
  EXPECT_NEAR(ratio.high, 2.5578, 1e-3);
}

TEST(PairedRatio, SharedNoiseOfARoundDoesNotWidenIt) {
  const std::vector<double> base = {1, 2, 4, 8};
  const std::vector<double> other = {0.5, 1, 2, 4};
  const Ratio ratio = paired_ratio(base, other);
  EXPECT_DOUBLE_EQ(ratio.value, 2);
  EXPECT_DOUBLE_EQ(ratio.low, 2);
  EXPECT_DOUBLE_EQ(ratio.high, 2);
}

TEST(PairedRatio, OfOneRoundHasNoWidth) {
  const std::vector<double> base = {3};
  const std::vector<double> other = {2};
  EXPECT_DOUBLE_EQ(paired_ratio(base, other).low, 1.5);
  EXPECT_DOUBLE_EQ(paired_ratio(base, {}).value, 0);
}

TEST(Median, IsTheMiddleOrBetween) {
  EXPECT_DOUBLE_EQ(median(std::vector<double>{3, 1, 2}), 2);
  EXPECT_DOUBLE_EQ(median(std::vector<double>{4, 1, 2, 3}), 2.5);
}

}  // namespace
}  // namespace embedforge::benchmarking
