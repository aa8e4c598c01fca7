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

constexpr float kRows[] = {1, -2, 3, 4, 5, -6};  // three tokens of two values

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
