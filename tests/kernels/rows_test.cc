#include <cmath>

#include "kernels/table_fixture.h"

namespace embedforge::kernels {
namespace {

class RowsTest : public TableTest {};

TEST_P(RowsTest, Norm) {
  for (const int width : {1, 7, 16, 33, 384, 770}) {
    for (const bool rms : {false, true}) {
      for (const bool with_add : {false, true}) {
        const int rows = 5;
        const auto count = static_cast<size_t>(rows) * static_cast<size_t>(width);
        const auto x = random_floats(count, 1, 3);
        const auto add = random_floats(count, 2);
        const auto gamma = random_floats(static_cast<size_t>(width), 3);
        const auto beta = random_floats(static_cast<size_t>(width), 4);
        std::vector<float> expected(count);
        std::vector<float> got(count);
        NormArgs args{.x = x.data(),
                      .x_stride = static_cast<size_t>(width),
                      .gamma = gamma.data(),
                      .epsilon = 1e-5F,
                      .rms = rms,
                      .rows = rows,
                      .width = width,
                      .out_stride = static_cast<size_t>(width)};
        if (with_add) args.add = add.data();
        args.add_stride = static_cast<size_t>(width);
        if (!rms) args.beta = beta.data();
        args.out = expected.data();
        table("reference").norm(args);
        args.out = got.data();
        table_->norm(args);
        for (size_t i = 0; i < count; ++i)
          ASSERT_NEAR(got[i], expected[i], 2e-5) << width << " " << i;
        if (GetParam() == "reference") continue;
        args.out = expected.data();
        table("portable").norm(args);
        ASSERT_EQ(got, expected) << width;  // the same bits
      }
    }
  }
}

TEST_P(RowsTest, AddAndGate) {
  for (const size_t count : {1UL, 7UL, 16UL, 100UL}) {
    const auto a = random_floats(count, 1, 3);
    const auto b = random_floats(count, 2);
    std::vector<float> expected(count);
    std::vector<float> got(count);
    table("reference").add(a.data(), b.data(), expected.data(), count);
    table_->add(a.data(), b.data(), got.data(), count);
    EXPECT_EQ(got, expected);
    for (const Act act : {Act::kSilu, Act::kGelu, Act::kGeluTanh}) {
      table("reference").gate(a.data(), b.data(), act, expected.data(), count);
      table_->gate(a.data(), b.data(), act, got.data(), count);
      for (size_t i = 0; i < count; ++i) ASSERT_NEAR(got[i], expected[i], 3e-6);
      if (GetParam() == "reference") continue;
      table("portable").gate(a.data(), b.data(), act, expected.data(), count);
      EXPECT_EQ(got, expected);  // the same bits
    }
  }
}

TEST_P(RowsTest, Rotate) {
  for (const int pairs : {1, 3, 8, 12, 16, 33, 64}) {
    for (const bool interleaved : {false, true}) {
      const int heads = 3;
      const auto stride = static_cast<size_t>(2 * pairs + 3);  // some channels stay
      const auto x = random_floats(heads * stride, 1, 3);
      const auto cos = random_floats(static_cast<size_t>(pairs), 2);
      const auto sin = random_floats(static_cast<size_t>(pairs), 3);
      std::vector<float> expected = x;
      std::vector<float> got = x;
      RotateArgs args{.stride = stride,
                      .heads = heads,
                      .pairs = pairs,
                      .interleaved = interleaved,
                      .cos = cos.data(),
                      .sin = sin.data()};
      args.x = expected.data();
      table("reference").rotate(args);
      args.x = got.data();
      table_->rotate(args);
      for (size_t i = 0; i < got.size(); ++i) {
        ASSERT_NEAR(got[i], expected[i], 3e-6) << pairs << " " << i;
        if (i % stride >= 2 * static_cast<size_t>(pairs)) {
          ASSERT_EQ(got[i], x[i]);
        }
      }
      if (GetParam() == "reference") continue;
      args.x = (expected = x).data();
      table("portable").rotate(args);
      ASSERT_EQ(got, expected) << pairs;  // the same bits
    }
  }
}

EMBEDFORGE_EACH_TABLE(RowsTest);

}  // namespace
}  // namespace embedforge::kernels
