#include "quantize/ranges.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>
#include <string_view>

#include "quantize/default_texts.h"
#include "quantize/input_rounding.h"

namespace embedforge::quantization {
namespace {

/// Mostly within 1, with one value in ten thousand at 20.
std::vector<float> with_outliers() {
  std::mt19937 engine(3);
  std::normal_distribution<float> normal(0.1F, 0.3F);
  std::vector<float> out(50000);
  for (float& v : out) v = normal(engine);
  for (size_t i = 0; i < out.size(); i += 200000 / 8) out[i] = 20;
  return out;
}

double squared_error(const std::vector<float>& values, const StaticRange& r) {
  double out = 0;
  for (const float v : values) {
    const float q =
        std::clamp(std::nearbyint(v / r.scale) + static_cast<float>(r.zero), 0.0F, 255.0F);
    const double lost = v - (q - static_cast<float>(r.zero)) * r.scale;
    out += lost * lost;
  }
  return out;
}

StaticRange find(const std::vector<float>& values, CalibrateMethod method) {
  RangeFinder finder;
  const std::span<const float> all(values);  // small parts first, so that the bins have to widen
  finder.add(all.subspan(1, 10));
  finder.add(all.subspan(11));
  finder.add(all.first(1));
  return finder.find(method);
}

TEST(RangeFinder, MinMaxHoldsEveryValue) {
  const StaticRange r =
      find({-1.0F, 0.5F, 3.0F, 0, 0, 0, 0, 0, 0, 0, 0, 0}, CalibrateMethod::kMinMax);
  EXPECT_NEAR(r.scale, 4.0F / 255, 1e-6);
  EXPECT_EQ(r.zero, 64);
}

TEST(RangeFinder, LeastErrorIsTheLeastOfAllBounds) {
  std::mt19937 engine(4);
  std::student_t_distribution<float> heavy(3);
  std::vector<float> values(50000);
  for (float& v : values) v = heavy(engine);
  const StaticRange whole = find(values, CalibrateMethod::kMinMax);
  const double found = squared_error(values, find(values, CalibrateMethod::kLeastError));
  EXPECT_LT(found, 0.95 * squared_error(values, whole));
  for (float part = 1; part > 0.2F; part -= 0.05F) {
    EXPECT_LT(found, 1.02 * squared_error(values, {whole.scale * part, whole.zero})) << part;
  }
}

TEST(RangeFinder, PercentileAndEntropyLeaveOutliersOut) {
  const std::vector<float> values = with_outliers();
  const float whole = find(values, CalibrateMethod::kMinMax).scale;
  EXPECT_NEAR(whole, 0.08F, 0.01F);
  EXPECT_LE(find(values, CalibrateMethod::kEntropy).scale, whole);
  std::vector<float> rare = values;
  for (float& v : rare) v = std::min(v, 2.0F);
  rare[7] = 20;
  rare.insert(rare.end(), values.size() * 9, 0.1F);  // one in half a million
  EXPECT_LT(find(rare, CalibrateMethod::kPercentile).scale, 0.2F * whole);
}

TEST(RangeFinder, TakesOnlyZeros) {
  const StaticRange r = find(std::vector<float>(100, 0.0F), CalibrateMethod::kEntropy);
  EXPECT_GT(r.scale, 0);
}

TEST(RoundInputs, KeepsFloatChannelsAndRoundsTheOthers) {
  OwnedRows x(64, 64);
  std::mt19937 engine(5);
  std::normal_distribution<float> normal;
  for (int64_t i = 0; i < 64 * 64; ++i) x.row(0)[i] = normal(engine) * (i % 64 == 9 ? 50.0F : 1.0F);
  const std::vector<float> weights(64, 0.1F);
  for (const auto method :
       {std::optional<CalibrateMethod>(), std::optional(CalibrateMethod::kMinMax)}) {
    const InputRounding how = choose_rounding(x, weights, method);
    ASSERT_EQ(how.float_channels.size(), 2U);
    EXPECT_NE(std::find(how.float_channels.begin(), how.float_channels.end(), 9),
              how.float_channels.end());
    EXPECT_EQ(how.channel_scale[9], 0);
    EXPECT_EQ(how.range.has_value(), method.has_value());
    OwnedRows rounded(64, 64);
    std::copy_n(x.row(0), 64 * 64, rounded.row(0));
    round_inputs(rounded, how);
    EXPECT_EQ(rounded.row(3)[9], x.row(3)[9]);
    EXPECT_NEAR(rounded.row(3)[4], x.row(3)[4] * how.channel_scale[4], 0.03);
    EXPECT_NE(rounded.row(3)[4], x.row(3)[4] * how.channel_scale[4]);
  }
}

TEST(DefaultTexts, AreManyAndDistinct) {
  const auto texts = default_texts();
  EXPECT_GE(texts.size(), 128U);
  EXPECT_EQ(std::set<std::string_view>(texts.begin(), texts.end()).size(), texts.size());
}

}  // namespace
}  // namespace embedforge::quantization
