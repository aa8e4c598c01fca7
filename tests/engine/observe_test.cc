#include "engine/observe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/engine.h"
#include "support/random_bert.h"

namespace embedforge {
namespace {

constexpr BertShape kBert{
    .hidden = 96, .layers = 2, .heads = 3, .inner = 128, .vocabulary = 100, .positions = 60};
const std::vector<int32_t> kTokens = {5, 1, 7, 9, 3, 3, 8, 60, 2, 40, 41, 42, 43, 44};
const std::vector<size_t> kSequences = {0, 3, 4, 14};
const TokenBatch kBatch{kTokens, {}, kSequences};

std::vector<float> copied(const Rows& rows) { return {rows.data, rows.data + rows.size()}; }

TEST(Observe, GivesTheInputOfEachLinearStepInOrder) {
  Program program = RandomBert(kBert).build();
  ThreadPool threads(3);
  std::vector<std::vector<float>> seen;
  observe(program, kBatch, threads,
          [&](LinearStep&, const Rows& in) { seen.push_back(copied(in)); });
  size_t at = 0;
  const std::vector<Step> steps = program.steps;
  for (size_t i = 0; i < steps.size(); ++i) {
    const auto* linear = std::get_if<LinearStep>(&steps[i]);
    if (linear == nullptr) continue;
    program.steps.assign(steps.begin(), steps.begin() + static_cast<ptrdiff_t>(i));
    program.hidden = linear->in;
    const Engine engine(program, {.compute = Compute::kFloat32, .threads = 1});
    std::vector<float> expected(kTokens.size() * engine.hidden_size());
    engine.tokens(kBatch, expected.data());
    ASSERT_LT(at, seen.size());
    ASSERT_EQ(seen[at].size(), expected.size());
    for (size_t j = 0; j < expected.size(); ++j) ASSERT_NEAR(seen[at][j], expected[j], 1e-4);
    ++at;
  }
  EXPECT_EQ(at, seen.size());
}

/// The first product as three, side by side.
void split_first(Program& program) {
  auto& linear = std::get<LinearStep>(*std::ranges::find_if(
      program.steps, [](const Step& s) { return std::holds_alternative<LinearStep>(s); }));
  const std::vector<float> whole = to_floats(linear.weight);
  const size_t h = kBert.hidden;
  for (size_t part = 0; part < 3; ++part) {
    std::vector<float> columns;
    for (size_t k = 0; k < h; ++k) {
      const auto begin = whole.begin() + static_cast<ptrdiff_t>(k * 3 * h + part * h);
      columns.insert(columns.end(), begin, begin + static_cast<ptrdiff_t>(h));
    }
    linear.weight.parts.push_back(float_weight(std::move(columns), h, h));
  }
}

TEST(Observe, GoesOnWithWhatWasMadeOfAStep) {
  for (const bool joined : {false, true}) {
    Program program = RandomBert(kBert).build();
    if (joined) split_first(program);
    ThreadPool threads(2);
    size_t count = 0;
    observe(program, kBatch, threads, [&](LinearStep& step, const Rows& in) {
      if (++count == 1) {  // v becomes 2 everywhere, so that attention gives 2
        const size_t h = kBert.hidden;
        std::fill_n(in.data, in.size(), 1.0F);
        std::span<Weight> weights = step.weight.parts;
        if (!joined) weights = {&step.weight, 1};
        for (Weight& weight : weights) {
          const auto n = static_cast<size_t>(weight.n);
          weight = float_weight(std::vector<float>(h * n, 1.0F / static_cast<float>(h)), h, n);
        }
        step.bias.assign(3 * h, 1.0F);
      } else if (count == 2) {
        for (size_t i = 0; i < in.size(); ++i) ASSERT_NEAR(in.data[i], 2, 1e-4);
      }
    });
    EXPECT_GT(count, 2U);
  }
}

}  // namespace
}  // namespace embedforge
