#include "embed/head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "embedforge/error.h"
#include "engine/head.h"
#include "temporary_folder.h"

namespace embedforge {
namespace {

using testing::ElementsAre;
using testing::FloatNear;

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

class HeadTest : public testing::Test {
 protected:
  /// A Dense module 4 -> 1 as safetensors: y = tanh(0.5 * sum(x) + 0.25).
  std::filesystem::path write_dense() {
    const std::string header =
        R"({"linear.weight":{"dtype":"F32","shape":[1,4],"data_offsets":[0,16]},)"
        R"("linear.bias":{"dtype":"F32","shape":[1],"data_offsets":[16,20]}})";
    std::ofstream weights(folder_.path() / "model.safetensors", std::ios::binary);
    const uint64_t size = header.size();
    weights.write(reinterpret_cast<const char*>(&size), 8);
    weights << header;
    const float values[] = {0.5F, 0.5F, 0.5F, 0.5F, 0.25F};
    weights.write(reinterpret_cast<const char*>(values), sizeof(values));
    return folder_.path();
  }
  HeadModule dense(int64_t in, bool bias, const std::string& activation) {
    return {HeadModule::Kind::kDense, write_dense(), in, 1, bias, activation};
  }
  static Head head(const HeadModule& module) {
    ModelConfig model;
    model.pooling = {Pooling::kCls, Pooling::kLast};
    model.head = {module};
    return {read_head(model, std::nullopt, 2), 2};
  }

  TemporaryFolder folder_;
};

TEST_F(HeadTest, ConcatenatesAndAppliesDense) {
  const Head tanh = head(dense(4, true, "tanh"));
  EXPECT_EQ(tanh.width(), 1U);
  EXPECT_EQ(pooling_names({PoolStep{{Pooling::kCls, Pooling::kLast}}}), "cls+last");
  EXPECT_EQ(tanh.only_pooling(), std::nullopt);
  float out = 0;
  tanh.apply(kRows, 3, 0, &out);
  EXPECT_NEAR(out, std::tanh(0.5F * (1 - 2 + 5 - 6) + 0.25F), 1e-6);
  head(dense(4, false, "identity")).apply(kRows, 3, 0, &out);
  EXPECT_NEAR(out, -1, 1e-6);
}

TEST_F(HeadTest, RefusesWhatDoesNotFit) {
  try {
    head(dense(3, true, "tanh"));
    FAIL() << "three inputs where four values come";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kBadInput);
    EXPECT_THAT(error.what(), testing::HasSubstr("linear.weight"));
  }
  ModelConfig model;
  model.pooling = {Pooling::kCls};
  model.head = {dense(4, true, "tanh")};
  EXPECT_THROW(read_head(model, std::nullopt, 2), Error);
}

}  // namespace
}  // namespace embedforge
