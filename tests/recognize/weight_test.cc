#include "recognize/weight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "embedforge/error.h"
#include "graph/tensor.h"

namespace embedforge {
namespace {

using ::testing::ElementsAre;

TEST(Weight, FloatFormatsAndLayouts) {
  Weight weight = float_weight({1, 2, 3, 4, 5, 6}, 3, 2);
  EXPECT_THAT(to_floats(weight), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(to_floats(weight, 1, 2), ElementsAre(3, 4, 5, 6));
  weight.transposed = true;  // [n, k] = [2, 3]
  EXPECT_THAT(to_floats(weight, 1, 1), ElementsAre(2, 5));
  weight.transposed = false;
  std::vector<uint16_t> halves;
  for (const float value : {1.0F, 2.0F, 0.5F, -4.0F, 0.0F, 8.0F})
    halves.push_back(float_to_half(value));
  weight.format = FloatFormat{Tensor::from(DataType::kFloat16, {3, 2}, std::move(halves))};
  EXPECT_THAT(to_floats(weight), ElementsAre(1, 2, 0.5F, -4, 0, 8));
}

TEST(Weight, Int8WithScalesZeroPointsAndFloatChannels) {
  Weight weight;
  weight.k = 2;
  weight.n = 2;
  weight.format = Int8Format{
      .data = Tensor::from(DataType::kUint8, {2, 2}, std::vector<uint8_t>{0, 255, 130, 7}),
      .scales = {0.5F, 2},
      .zero_points = {128, 128},
      .activation = ActivationQuant{.channel_scale = {4, 0}},
      .float_channels = {1},
      .float_rows = {10, 11}};
  EXPECT_TRUE(fits_int8(weight));
  EXPECT_NE(weight.integer_product(), nullptr);
  EXPECT_THAT(to_integers(weight, 0, 2), ElementsAre(-128, 127, 2, -121));
  EXPECT_THAT(to_floats(weight), ElementsAre(-256, 1016, 10, 11));
  EXPECT_THAT(to_floats(weight, 1, 1), ElementsAre(10, 11));
  weight.int8()->zero_points = {0, 128};
  EXPECT_FALSE(fits_int8(weight));
  EXPECT_EQ(weight.integer_product(), nullptr);
}

TEST(Weight, PartsLieSideBySide) {
  Weight whole;
  whole.k = 2;
  whole.n = 3;
  whole.parts = {float_weight({1, 2, 3, 4}, 2, 2), float_weight({5, 6}, 2, 1)};
  EXPECT_THAT(to_floats(whole), ElementsAre(1, 2, 5, 3, 4, 6));
  whole.parts[0].transposed = true;
  EXPECT_THAT(to_floats(whole, 0, 1), ElementsAre(1, 3, 5));
}

TEST(Weight, ValuesThatAreNotFiniteAreRefused) {
  Weight weight = float_weight({1, std::numeric_limits<float>::infinity()}, 1, 2);
  weight.name = "w";
  try {
    to_floats(weight);
    FAIL() << "an infinite value";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadInput);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("'w'"));
  }
}

}  // namespace
}  // namespace embedforge
