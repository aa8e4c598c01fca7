// Integer products whose inputs are scaled by channel and keep outlier channels float.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/engine.h"
#include "kernels/select.h"
#include "plan/interpret_program.h"
#include "support/random_bert.h"

namespace embedforge {
namespace {

constexpr BertShape kShape{
    .hidden = 96, .layers = 2, .heads = 3, .inner = 352, .vocabulary = 100, .positions = 90};
const std::vector<size_t> kOffsets = {0, 1, 17, 80};

/// Channels 3 and 40 stay float; every fifth is doubled before it is rounded.
void quantize(Weight& w) {
  Int8Format format;
  format.float_channels = {3, 40};
  ActivationQuant quant;
  quant.channel_scale.assign(static_cast<size_t>(w.k), 1);
  for (size_t k = 0; k < quant.channel_scale.size(); k += 5) quant.channel_scale[k] = 2;
  const auto values = w.data().as<float>();
  const auto n = static_cast<size_t>(w.n);
  for (const int32_t channel : format.float_channels) {
    const auto row = static_cast<size_t>(channel);
    quant.channel_scale[row] = 0;
    format.float_rows.insert(format.float_rows.end(),
                             values.begin() + static_cast<ptrdiff_t>(row * n),
                             values.begin() + static_cast<ptrdiff_t>((row + 1) * n));
  }
  format.scales.assign(n, 0.002F);
  format.zero_points.assign(n, 0);
  std::vector<int8_t> q(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const float scale = quant.channel_scale[i / n];
    const float steps = scale == 0 ? 0 : std::nearbyint(values[i] / scale / 0.002F);
    q[i] = static_cast<int8_t>(std::clamp(steps, -127.0F, 127.0F));
  }
  format.data = Tensor::from(DataType::kInt8, {w.k, w.n}, std::move(q));
  format.activation = quant;
  w.format = std::move(format);
}

Program quantized_program() {
  Program program = RandomBert(kShape).build();
  for (Step& step : program.steps) {
    if (auto* linear = std::get_if<LinearStep>(&step)) quantize(linear->weight);
  }
  return program;
}

std::vector<int32_t> ids() {
  std::vector<int32_t> out;
  for (size_t i = 0; i < kOffsets.back(); ++i) out.push_back(static_cast<int32_t>(i * 7 % 100));
  return out;
}

double least_cosine(const std::vector<float>& got, const Program& program) {
  const std::vector<int32_t> all = ids();
  double least = 1;
  for (size_t s = 0; s + 1 < kOffsets.size(); ++s) {
    const std::vector<int64_t> one(all.begin() + static_cast<ptrdiff_t>(kOffsets[s]),
                                   all.begin() + static_cast<ptrdiff_t>(kOffsets[s + 1]));
    const std::vector<float> expected =
        testing::interpret(program, {{one}, {std::vector<int64_t>(one.size(), 0)}}).hidden[0];
    const auto width = kShape.hidden;
    for (size_t t = 0; t < one.size(); ++t) {
      double dot = 0;
      double aa = 0;
      double bb = 0;
      for (size_t c = 0; c < width; ++c) {
        const double a = expected[t * width + c];
        const double b = got[(kOffsets[s] + t) * width + c];
        dot += a * b;
        aa += a * a;
        bb += b * b;
      }
      least = std::min(least, dot / std::sqrt(aa * bb));
    }
  }
  return least;
}

class FloatChannels : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string reason = kernels::why_unsupported(GetParam());
    if (!reason.empty()) GTEST_SKIP() << GetParam() << ": " << reason;
  }
  std::vector<float> hidden(const Program& program, Compute compute, int threads) const {
    const Engine engine(
        program, {.table = &kernels::table(GetParam()), .compute = compute, .threads = threads});
    std::vector<float> out(kOffsets.back() * engine.hidden_size());
    engine.tokens({ids(), {}, kOffsets}, out.data());
    return out;
  }
};

TEST_P(FloatChannels, AgreeWithThePlainInterpreter) {
  const Program program = quantized_program();
  EXPECT_GT(least_cosine(hidden(program, Compute::kAuto, 1), program), 0.999);
  EXPECT_GT(least_cosine(hidden(program, Compute::kFloat32, 1), program), 0.9999999);
}

TEST_P(FloatChannels, DoNotDependOnTheThreads) {
  const Program program = quantized_program();
  EXPECT_EQ(hidden(program, Compute::kAuto, 1), hidden(program, Compute::kAuto, 3));
}

INSTANTIATE_TEST_SUITE_P(Tables, FloatChannels, ::testing::ValuesIn(kernels::table_names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace embedforge
