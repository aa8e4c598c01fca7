#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "embedforge/error.h"
#include "engine/head.h"

namespace embedforge {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;

constexpr float kRows[] = {1, -2, 3, 4, 5, -6};  // three tokens of two values

std::vector<float> pooled(Pooling mode, size_t skip = 0) {
  std::vector<float> out(2);
  pool(mode, kRows, 3, skip, 2, out.data());
  return out;
}

TEST(Pool, EveryMode) {
  EXPECT_THAT(pooled(Pooling::kCls), ElementsAre(1, -2));
  EXPECT_THAT(pooled(Pooling::kLast), ElementsAre(5, -6));
  EXPECT_THAT(pooled(Pooling::kMax), ElementsAre(5, 4));
  EXPECT_THAT(pooled(Pooling::kMean), ElementsAre(3, FloatNear(-4.0F / 3, 1e-6F)));
  EXPECT_THAT(
      pooled(Pooling::kMeanSqrtLength),
      ElementsAre(FloatNear(9 / std::sqrt(3.0F), 1e-5F), FloatNear(-4 / std::sqrt(3.0F), 1e-5F)));
  // (1 * 1 + 2 * 3 + 3 * 5) / 6, (1 * -2 + 2 * 4 + 3 * -6) / 6
  EXPECT_THAT(pooled(Pooling::kWeightedMean),
              ElementsAre(FloatNear(22.0F / 6, 1e-5F), FloatNear(-2, 1e-5F)));
}

TEST(Pool, LeavesThePromptOut) {
  EXPECT_THAT(pooled(Pooling::kMean, 1), ElementsAre(4, -1));
  EXPECT_THAT(pooled(Pooling::kCls, 1), ElementsAre(3, 4));
  EXPECT_THAT(pooled(Pooling::kWeightedMean, 1), ElementsAre(FloatNear(21.0F / 5, 1e-5F), -2));
  EXPECT_THAT(pooled(Pooling::kMax, 3), ElementsAre(0, 0)) << "nothing is left";
}

TEST(Head, LayersNormsAndLengths) {
  LinearStep dense;
  dense.weight = float_weight({1, 0, 2, 0, 1, 0, 0, 0, 1, 1, 1, 1}, 4, 3);
  dense.bias = {0, -1, 0};
  dense.activation = Activation::kRelu;
  const std::vector<HeadStep> steps = {PoolStep{{Pooling::kCls, Pooling::kLast}}, dense};
  Head head(steps, 2);
  EXPECT_EQ(head.width(), 3U);
  EXPECT_EQ(head.only_pooling(), std::nullopt);
  EXPECT_EQ(pooling_names(steps), "cls+last");
  std::vector<float> out(3);
  head.apply(kRows, 3, 0, out.data());  // of 1, -2, 5, -6
  EXPECT_THAT(out, ElementsAre(0, 0, 1));
  NormStep norm;
  norm.gamma = {2, 1};
  norm.beta = {0, 3};
  norm.epsilon = 0;
  Head(std::vector<HeadStep>{PoolStep{{Pooling::kLast}}, norm}, 2).apply(kRows, 3, 0, out.data());
  EXPECT_NEAR(out[0], 2, 1e-6);
  EXPECT_NEAR(out[1], 2, 1e-6);
  Head(std::vector<HeadStep>{PoolStep{{Pooling::kMax}}, NormalizeStep{}}, 2)
      .apply(kRows, 1, 0, out.data());
  EXPECT_NEAR(out[0], 1 / std::sqrt(5.0F), 1e-6);
  EXPECT_NEAR(out[1], -2 / std::sqrt(5.0F), 1e-6);
}

TEST(Head, RefusesWidthsThatDoNotFollow) {
  LinearStep dense;
  dense.weight = float_weight({1, 2, 3}, 3, 1);
  EXPECT_THROW(Head(std::vector<HeadStep>{PoolStep{{Pooling::kMean}}, dense}, 2), Error);
  EXPECT_THROW(Head(std::vector<HeadStep>{NormalizeStep{}}, 2), Error);
}

}  // namespace
}  // namespace embedforge
