// Probes, and what is read off values for them.
#include "recognize/probe.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "graph/tensor.h"
#include "recognize/function.h"
#include "recognize/mask_effect.h"

namespace embedforge::recognize {
namespace {

const std::vector<Probe> kProbes = make_probes(24, 20);

/// [batch, sequence] of each probe.
Known by_token(const std::function<double(const Probe&, int64_t row, int64_t i)>& value) {
  Known out;
  for (const Probe& probe : kProbes) {
    std::vector<int64_t> values;
    for (int64_t at = 0; at < probe.batch * probe.sequence; ++at) {
      values.push_back(
          static_cast<int64_t>(value(probe, at / probe.sequence, at % probe.sequence)));
    }
    out.at.push_back(Tensor::from_ints({probe.batch, probe.sequence}, std::move(values)));
  }
  return out;
}

/// [batch, 1, sequence, sequence] of each probe.
Known by_pair(const std::function<double(const Probe&, int64_t row, int64_t q, int64_t k)>& value) {
  Known out;
  for (const Probe& probe : kProbes) {
    std::vector<float> values;
    for (int64_t row = 0; row < probe.batch; ++row) {
      for (int64_t at = 0; at < probe.sequence * probe.sequence; ++at) {
        values.push_back(
            static_cast<float>(value(probe, row, at / probe.sequence, at % probe.sequence)));
      }
    }
    out.at.push_back(Tensor::from_floats({probe.batch, 1, probe.sequence, probe.sequence}, values));
  }
  return out;
}

MaskEffect effect_of(const Known& mask) {
  return MaskEffects().of(mask, MaskEffects::Kind::kAdditive, kProbes);
}

TEST(Probes, HavePaddingOnEverySideAndNone) {
  bool right = false, left = false, between = false, none = false;
  for (const Probe& probe : kProbes) {
    for (int64_t row = 0; row < probe.batch; ++row) {
      const bool first = probe.attended(row, 0);
      const bool last = probe.attended(row, probe.sequence - 1);
      const int64_t length = probe.length(row);
      none = none || length == probe.sequence;
      right = right || (first && probe.attended(row, length - 1) && !last);
      left = left || (last && probe.attended(row, probe.sequence - length) && !first);
      between = between || (length > 1 && probe.attended(row, 1) && !probe.attended(row, 2) &&
                            probe.attended(row, 4));
    }
  }
  EXPECT_TRUE(right && left && between && none);
}

TEST(IndexMeaning, TellsPositionsInTheRowFromThoseAmongTheTokens) {
  using Kind = IndexMeaning::Kind;
  const auto in_row = index_meaning(
      by_token([](const Probe&, int64_t, int64_t i) { return static_cast<double>(i + 2); }),
      kProbes);
  ASSERT_TRUE(in_row);
  EXPECT_EQ(in_row->kind, Kind::kPosition);
  EXPECT_EQ(in_row->offset, 2);
  EXPECT_FALSE(in_row->among_tokens);
  const auto among = index_meaning(by_token([](const Probe& probe, int64_t row, int64_t i) {
                                     return static_cast<double>(probe.rank(row, i) + 2);
                                   }),
                                   kProbes);
  ASSERT_TRUE(among);
  EXPECT_EQ(among->kind, Kind::kPosition);
  EXPECT_EQ(among->offset, 2);
  EXPECT_TRUE(among->among_tokens);
  EXPECT_FALSE(index_meaning(
      by_token([](const Probe&, int64_t row, int64_t i) { return static_cast<double>(i * row); }),
      kProbes));
}

TEST(LastToken, IsTheLastInTheRowOrAmongTheTokens) {
  const auto by_row = [](const std::function<int64_t(const Probe&, int64_t row)>& value) {
    Known out;
    for (const Probe& probe : kProbes) {
      std::vector<int64_t> values;
      for (int64_t row = 0; row < probe.batch; ++row) values.push_back(value(probe, row));
      out.at.push_back(Tensor::from_ints({probe.batch}, std::move(values)));
    }
    return out;
  };
  const auto last = [](const Probe& probe, int64_t row) {
    int64_t out = probe.sequence - 1;
    while (!probe.attended(row, out)) --out;
    return out;
  };
  const auto count = [](const Probe& probe, int64_t row) { return probe.length(row) - 1; };
  const auto end = [](const Probe& probe, int64_t) { return probe.sequence - 1; };
  EXPECT_TRUE(is_last_token(by_row(last), kProbes));
  EXPECT_TRUE(is_last_token(by_row(count), kProbes));
  EXPECT_FALSE(is_last_token(by_row(end), kProbes));
}

TEST(MaskEffect, ReadsPaddingOnEverySide) {
  const MaskEffect effect = effect_of(by_pair([](const Probe& p, int64_t row, int64_t, int64_t k) {
    return p.attended(row, k) ? 0.0 : kVeryNegative;
  }));
  EXPECT_TRUE(effect.understood && effect.padding);
  EXPECT_FALSE(effect.causal);
  EXPECT_EQ(effect.window, -1);
}

/// As one for padding on the right alone would be.
TEST(MaskEffect, RefusesOneThatLeavesPaddingBeforeTheLastToken) {
  const MaskEffect effect = effect_of(by_pair([](const Probe& p, int64_t row, int64_t, int64_t k) {
    return k < p.length(row) ? 0.0 : kVeryNegative;
  }));
  EXPECT_FALSE(effect.understood);
}

TEST(MaskEffect, ReadsACausalWindow) {
  const MaskEffect effect =
      effect_of(by_pair([](const Probe& p, int64_t row, int64_t q, int64_t k) {
        return p.attended(row, k) && k <= q && q - k <= 4 ? 0.0 : -1e9;
      }));
  EXPECT_TRUE(effect.understood && effect.padding && effect.causal);
  EXPECT_EQ(effect.window, 4);
}

TEST(Function, TellsTheTwoGelusApartAndKeepsToItsTolerance) {
  Samples values{};
  for (size_t i = 0; i < kPointCount; ++i) {
    values[i] = activation_function(Activation::kGelu)(map_points()[i]);
  }
  EXPECT_EQ(as_activation(values), Activation::kGelu);
  values[25] += 1e-4;
  EXPECT_EQ(as_activation(values), Activation::kGelu);
  EXPECT_EQ(as_activation(values, 1e-5), std::nullopt);
}

TEST(Function, ReadsASmallEpsilonExactly) {
  const double epsilon = static_cast<double>(1e-12F);
  Samples values{};
  for (size_t i = 0; i < kPointCount; ++i) values[i] = 1 / std::sqrt(stat_points()[i] + epsilon);
  EXPECT_EQ(static_cast<float>(as_epsilon(values).value_or(0)), 1e-12F);
  values[20] *= 1.001;
  EXPECT_EQ(as_epsilon(values), std::nullopt);
}

}  // namespace
}  // namespace embedforge::recognize
