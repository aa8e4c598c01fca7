#include <cmath>

#include "kernels/table_fixture.h"

namespace embedforge::kernels {
namespace {

using Kernel = decltype(KernelTable::attention);

class AttentionTest : public TableTest {
 protected:
  /// The head's output of random rows.
  static std::vector<float> run(AttentionArgs a, const KernelTable& table, Kernel kernel,
                                unsigned seed) {
    const auto stride = static_cast<size_t>(3 * a.head_size + 5);
    const auto length = static_cast<size_t>(a.length);
    const auto x = random_floats(length * stride, seed);
    a.q = x.data();
    a.k = x.data() + a.head_size;
    a.v = x.data() + 2 * static_cast<size_t>(a.head_size);
    a.q_stride = a.kv_stride = stride;
    a.end = a.end == 0 ? a.length : a.end;
    a.scale = 1.0F / std::sqrt(static_cast<float>(a.head_size));
    a.out_stride = static_cast<size_t>(a.head_size) + 3;
    std::vector<float> out(length * a.out_stride);
    Buffer space(table.attention_workspace(a.length, a.head_size));
    a.workspace = space.data();
    a.out = out.data();
    kernel(a);
    return out;
  }
  /// Largest difference to the reference table over the head's output.
  double compare(const AttentionArgs& a, Kernel kernel, unsigned seed) {
    const KernelTable& plain = table("reference");
    const std::vector<float> expected = run(a, plain, plain.attention, seed);
    const std::vector<float> got = run(a, *table_, kernel, seed);
    double worst = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      if (!std::isfinite(got[i])) return 1e9;
      worst = std::max(worst, static_cast<double>(std::abs(got[i] - expected[i])));
    }
    return worst;
  }
};

TEST_P(AttentionTest, LengthsAndHeadSizes) {
  for (const int head_size : {8, 16, 32, 40, 64, 128}) {
    for (const int length : {1, 2, 15, 16, 17, 33, 64, 100, 257}) {
      EXPECT_LT(compare({.length = length, .head_size = head_size}, table_->attention, 1), 3e-5)
          << length << " " << head_size;
    }
  }
}

TEST_P(AttentionTest, Rounded) {
  const double bf16 = GetParam() == "amx" ? 3e-2 : 1e-3;  // the others have 16-bit integers for it
  for (const int head_size : {8, 16, 32, 40, 64, 128}) {
    for (const int length : {1, 2, 15, 17, 33, 100, 257, 1100}) {
      const AttentionArgs args{.length = length, .head_size = head_size};
      EXPECT_LT(compare(args, table_->attention_i16, 2), 1e-3) << length << " " << head_size;
      EXPECT_LT(compare(args, table_->attention_bf16, 2), bf16) << length << " " << head_size;
    }
  }
}

TEST_P(AttentionTest, I16GivesTheSameBitsInEveryTable) {
  if (GetParam() == "reference") GTEST_SKIP() << "computes in floats";
  if (GetParam() == "portable") GTEST_SKIP() << "is what the others are compared with";
  const KernelTable& other = table("portable");
  const auto expect_same = [&](const AttentionArgs& a) {
    EXPECT_EQ(run(a, *table_, table_->attention_i16, 3), run(a, other, other.attention_i16, 3))
        << a.length << " " << a.head_size << " " << a.causal << " " << a.window;
  };
  const auto bias = random_floats(2 * 20 - 1, 9);
  for (const int head_size : {8, 32, 33, 64, 128}) {
    for (const int length : {1, 16, 17, 31, 63, 64, 65, 130, 200, 1024, 1100}) {
      for (const bool causal : {false, true}) {
        expect_same({.length = length, .head_size = head_size, .causal = causal});
        expect_same({.length = length, .head_size = head_size, .causal = causal, .window = 9});
      }
      expect_same({.length = length, .head_size = head_size, .begin = length - 1, .end = length});
      expect_same({.length = length,
                   .head_size = head_size,
                   .relative_bias = bias.data() + 19,
                   .bias_span = 20});
    }
  }
}

TEST_P(AttentionTest, CausalWindowBiasAndPartOfTheRows) {
  const auto bias = random_floats(2 * 20 - 1, 9);
  for (const int length : {5, 40, 100, 301}) {
    for (const int window : {0, 7, 64}) {  // many panels of keys that no query of a block needs
      const AttentionArgs both{.length = length, .head_size = 24, .causal = true, .window = window};
      EXPECT_LT(compare(both, table_->attention, 7), 3e-5) << length << " " << window;
    }
    EXPECT_LT(compare({.length = length, .head_size = 32, .causal = true}, table_->attention, 3),
              3e-5);
    EXPECT_LT(compare({.length = length, .head_size = 32, .window = 7}, table_->attention, 4),
              3e-5);
    EXPECT_LT(
        compare(
            {.length = length, .head_size = 32, .relative_bias = bias.data() + 19, .bias_span = 20},
            table_->attention, 5),
        3e-5);
    EXPECT_LT(
        compare({.length = length, .head_size = 32, .begin = 2, .end = 5}, table_->attention, 6),
        3e-5);
    const AttentionArgs all{.length = length,
                            .head_size = 32,
                            .begin = 2,
                            .end = 5,
                            .causal = true,
                            .window = 30,
                            .relative_bias = bias.data() + 19,
                            .bias_span = 20};
    EXPECT_LT(compare(all, table_->attention_i16, 8), 1e-3) << length;
    EXPECT_LT(compare(all, table_->attention_bf16, 8), GetParam() == "amx" ? 3e-2 : 1e-3) << length;
  }
}

EMBEDFORGE_EACH_TABLE(AttentionTest);

}  // namespace
}  // namespace embedforge::kernels
