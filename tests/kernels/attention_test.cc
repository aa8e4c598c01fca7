#include <cmath>

#include "kernels/table_fixture.h"

namespace embedforge::kernels {
namespace {

class AttentionTest : public TableTest {
 protected:
  /// Largest difference to the reference table over the head's output.
  double compare(AttentionArgs a, bool rounded, unsigned seed) {
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
    std::vector<float> expected(length * a.out_stride);
    std::vector<float> got(length * a.out_stride);
    Buffer plain(table("reference").attention_workspace(a.length, a.head_size));
    a.workspace = plain.data();
    a.out = expected.data();
    table("reference").attention(a);
    Buffer fast(table_->attention_workspace(a.length, a.head_size));
    a.workspace = fast.data();
    a.out = got.data();
    (rounded ? table_->attention_short : table_->attention)(a);
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
      EXPECT_LT(compare({.length = length, .head_size = head_size}, false, 1), 3e-5)
          << length << " " << head_size;
    }
  }
}

/// Of attention_short: tiles of bfloat16, or 16-bit integers.
double short_tolerance(const std::string& table) { return table == "amx" ? 3e-2 : 1e-3; }

TEST_P(AttentionTest, Short) {
  for (const int head_size : {8, 16, 32, 40, 64, 128}) {
    for (const int length : {1, 2, 15, 17, 33, 100, 257, 1100}) {
      EXPECT_LT(compare({.length = length, .head_size = head_size}, true, 2),
                short_tolerance(GetParam()))
          << length << " " << head_size;
    }
  }
}

TEST_P(AttentionTest, CausalWindowBiasAndPartOfTheRows) {
  const auto bias = random_floats(2 * 20 - 1, 9);
  for (const int length : {5, 40, 100, 301}) {
    for (const int window : {0, 7, 64}) {  // many panels of keys that no query of a block needs
      const AttentionArgs both{.length = length, .head_size = 24, .causal = true, .window = window};
      EXPECT_LT(compare(both, false, 7), 3e-5) << length << " " << window;
    }
    EXPECT_LT(compare({.length = length, .head_size = 32, .causal = true}, false, 3), 3e-5);
    EXPECT_LT(compare({.length = length, .head_size = 32, .window = 7}, false, 4), 3e-5);
    EXPECT_LT(
        compare(
            {.length = length, .head_size = 32, .relative_bias = bias.data() + 19, .bias_span = 20},
            false, 5),
        3e-5);
    EXPECT_LT(compare({.length = length, .head_size = 32, .begin = 2, .end = 5}, false, 6), 3e-5);
    const AttentionArgs all{.length = length,
                            .head_size = 32,
                            .begin = 2,
                            .end = 5,
                            .causal = true,
                            .window = 30,
                            .relative_bias = bias.data() + 19,
                            .bias_span = 20};
    EXPECT_LT(compare(all, true, 8), short_tolerance(GetParam())) << length;
  }
}

EMBEDFORGE_EACH_TABLE(AttentionTest);

}  // namespace
}  // namespace embedforge::kernels
