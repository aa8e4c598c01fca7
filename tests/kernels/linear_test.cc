#include <cmath>

#include "kernels/table_fixture.h"

namespace embedforge::kernels {
namespace {

struct Shape {
  int rows, k, n;
};
const std::vector<Shape> kShapes = {{1, 1, 1},     {1, 3, 5},      {2, 8, 16},   {5, 31, 33},
                                    {13, 64, 48},  {16, 32, 32},   {17, 33, 65}, {31, 100, 70},
                                    {33, 384, 96}, {50, 384, 130}, {7, 1536, 64}};

struct Problem {
  Shape shape;
  std::vector<float> x, w, bias, add, scales;
  std::vector<float> channel_scale;  // of x, or empty
  std::vector<int8_t> q;
  WeightView floats, bytes;

  explicit Problem(Shape s, bool transposed = false) : shape(s) {
    const auto rows = static_cast<size_t>(s.rows);
    const auto k = static_cast<size_t>(s.k);
    const auto n = static_cast<size_t>(s.n);
    x = random_floats(rows * k, 1);
    w = random_floats(k * n, 2, 0.2F);
    bias = random_floats(n, 3);
    add = random_floats(rows * n, 4);
    std::mt19937 engine(5);
    std::uniform_int_distribution<int> all(-128, 127);
    q.resize(k * n);
    for (auto& v : q) v = static_cast<int8_t>(all(engine));
    scales = random_floats(n, 6, 0.01F);
    floats = {.k = s.k, .n = s.n, .values = w.data(), .stride_k = s.n, .stride_n = 1};
    bytes = {
        .k = s.k, .n = s.n, .q = q.data(), .stride_k = s.n, .stride_n = 1, .scales = scales.data()};
    if (transposed) {
      for (WeightView* v : {&floats, &bytes}) {
        v->stride_k = 1;
        v->stride_n = s.k;
      }
    }
  }
};

/// The layer's result, computed column range by column range.
std::vector<float> run(const LinearKernel& kernel, const Problem& p, const WeightView& w, Act act,
                       bool add, bool in_two, int float_channels = 0) {
  const auto [rows, k, n] = p.shape;
  Buffer weight(kernel.weight_bytes(k, n));
  kernel.pack(w, weight.data());
  LinearArgs args{.weight = weight.data(), .rows = rows, .k = k, .bias = p.bias.data(), .act = act};
  const size_t blocks = static_cast<size_t>((rows + kernel.row_block - 1) / kernel.row_block);
  Buffer a(kernel.prepare != nullptr ? blocks * kernel.block_bytes(k) : 0);
  if (kernel.prepare != nullptr) {
    const float* scale = p.channel_scale.empty() ? nullptr : p.channel_scale.data();
    kernel.prepare({p.x.data(), static_cast<size_t>(k), rows, k, scale}, a.data());
    args.a = a.data();
    args.a_stride = kernel.block_bytes(k);
  } else {
    args.a = reinterpret_cast<const std::byte*>(p.x.data());
    args.a_stride = static_cast<size_t>(k) * sizeof(float);
  }
  if (add) {
    args.add = p.add.data();
    args.add_stride = static_cast<size_t>(n);
  }
  const size_t stride =
      static_cast<size_t>((n + kFloatColumns - 1) / kFloatColumns) * kFloatColumns;
  const auto channels = static_cast<size_t>(float_channels);
  std::vector<float> floats(static_cast<size_t>(rows) * channels);
  std::vector<float> float_weight(channels * stride);
  if (float_channels > 0) {
    for (size_t i = 0; i < floats.size(); ++i) floats[i] = static_cast<float>(i % 13) - 6;
    for (size_t i = 0; i < float_weight.size(); ++i) {
      if (i % stride < static_cast<size_t>(n)) float_weight[i] = static_cast<float>(i % 7) * 0.1F;
    }
    args.floats = floats.data();
    args.float_weight = float_weight.data();
    args.float_channels = float_channels;
    args.float_stride = stride;
  }
  std::vector<float> out(static_cast<size_t>(rows) * static_cast<size_t>(n), -777.0F);
  args.out = out.data();
  args.out_stride = static_cast<size_t>(n);
  const int middle = in_two ? n / 2 / kernel.column_block * kernel.column_block : 0;
  args.column_end = middle;
  if (middle > 0) kernel.run(args);
  args.column_begin = middle;
  args.column_end = n;
  kernel.run(args);
  return out;
}

/// Largest difference relative to the largest magnitude.
double difference(const std::vector<float>& a, const std::vector<float>& b) {
  double worst = 0;
  double scale = 1e-30;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i])) return 1e9;
    worst = std::max(worst, static_cast<double>(std::abs(a[i] - b[i])));
    scale = std::max(scale, static_cast<double>(std::abs(b[i])));
  }
  return worst / scale;
}

class LinearTest : public TableTest {
 protected:
  void expect_like_reference(const LinearKernel& kernel, const LinearKernel& reference, bool bytes,
                             double tolerance) {
    for (const Shape& shape : kShapes) {
      for (const bool transposed : {false, true}) {
        const Problem p(shape, transposed);
        const WeightView& w = bytes ? p.bytes : p.floats;
        const auto expected = run(reference, p, w, Act::kNone, true, false);
        const auto got = run(kernel, p, w, Act::kNone, true, true);
        EXPECT_LT(difference(got, expected), tolerance)
            << shape.rows << "x" << shape.k << "x" << shape.n << (transposed ? " transposed" : "");
      }
    }
  }
};

TEST_P(LinearTest, Float32) {
  expect_like_reference(table_->f32, table("reference").f32, false, 1e-5);
}

TEST_P(LinearTest, Float32FromQuantizedWeights) {
  expect_like_reference(table_->f32, table("reference").f32, true, 1e-5);
}

TEST_P(LinearTest, Int8WithFloatChannels) {
  for (const int channels : {kFloatGroup, 2 * kFloatGroup}) {
    for (const Shape& shape : kShapes) {
      const Problem p(shape, false);
      const auto expected =
          run(table("reference").i8, p, p.bytes, Act::kNone, true, false, channels);
      const auto without = run(table("reference").i8, p, p.bytes, Act::kNone, true, false);
      const auto got = run(table_->i8, p, p.bytes, Act::kNone, true, true, channels);
      EXPECT_LT(difference(got, expected), 1e-5) << shape.rows << "x" << shape.k << "x" << shape.n;
      EXPECT_GT(difference(without, expected), 1e-3);
    }
  }
}

TEST_P(LinearTest, Int8WithChannelScale) {
  for (const Shape& shape : kShapes) {
    Problem p(shape);
    Problem product = p;  // the same with the rows multiplied beforehand
    p.channel_scale = random_floats(static_cast<size_t>(shape.k), 7);
    for (size_t i = 0; i < product.x.size(); ++i)
      product.x[i] *= p.channel_scale[i % static_cast<size_t>(shape.k)];
    EXPECT_EQ(run(table_->i8, p, p.bytes, Act::kNone, true, false),
              run(table_->i8, product, p.bytes, Act::kNone, true, false))
        << shape.rows << "x" << shape.k << "x" << shape.n;
  }
}

TEST_P(LinearTest, Bfloat16) {
  if (table_->bf16.run == nullptr) GTEST_SKIP() << GetParam() << " has no bfloat16 products";
  expect_like_reference(table_->bf16, table("reference").bf16, false, 1e-4);
}

TEST_P(LinearTest, Int8) { expect_like_reference(table_->i8, table("reference").i8, true, 1e-6); }

TEST_P(LinearTest, Int8GivesTheSameBitsInEveryTable) {
  if (GetParam() == "reference") GTEST_SKIP() << "adds in its own order";
  for (const Shape& shape : kShapes) {
    Problem p(shape);
    for (const Act act : {Act::kNone, Act::kGelu, Act::kGeluTanh, Act::kSilu, Act::kTanh}) {
      EXPECT_EQ(run(table_->i8, p, p.bytes, act, true, true, kFloatGroup),
                run(table("portable").i8, p, p.bytes, act, true, true, kFloatGroup))
          << shape.rows << "x" << shape.k << "x" << shape.n << " " << static_cast<int>(act);
    }
  }
}

/// Rows of few large values among small ones, of extremes only, and of one outlier: what a pair of
/// products in 16 bits can't hold without saturation.
TEST_P(LinearTest, Int8RowsOfExtremes) {
  for (const Shape& shape : kShapes) {
    Problem p(shape);
    for (int r = 0; r < shape.rows; ++r) {
      for (int k = 0; k < shape.k; ++k) {
        float& x =
            p.x[static_cast<size_t>(r) * static_cast<size_t>(shape.k) + static_cast<size_t>(k)];
        if (r % 4 == 0) x = k * 7 % 11 < 2 ? 40 * x : x;
        if (r % 4 == 1) x = (k + r) % 3 == 0 ? 8.0F : -8.0F;
        if (r % 4 == 2) x = k == shape.k / 2 ? 100.0F : x;
      }
    }
    const auto expected = run(table("reference").i8, p, p.bytes, Act::kNone, true, false);
    const auto got = run(table_->i8, p, p.bytes, Act::kNone, true, true);
    EXPECT_LT(difference(got, expected), 1e-6) << shape.rows << "x" << shape.k << "x" << shape.n;
  }
}

TEST_P(LinearTest, Activations) {
  const Problem p({19, 64, 70});
  for (const Act act : {Act::kGelu, Act::kGeluTanh, Act::kRelu, Act::kSilu, Act::kTanh}) {
    const auto expected = run(table("reference").f32, p, p.floats, act, false, false);
    EXPECT_LT(difference(run(table_->f32, p, p.floats, act, false, true), expected), 3e-5)
        << static_cast<int>(act);
    const auto bytes = run(table("reference").i8, p, p.bytes, act, false, false);
    EXPECT_LT(difference(run(table_->i8, p, p.bytes, act, false, true), bytes), 1e-4)
        << static_cast<int>(act);
  }
}

TEST_P(LinearTest, RowDoesNotDependOnItsNeighbours) {
  const Problem all({37, 384, 96});
  for (const bool bytes : {false, true}) {
    const LinearKernel& kernel = bytes ? table_->i8 : table_->f32;
    const auto whole = run(kernel, all, bytes ? all.bytes : all.floats, Act::kGelu, false, false);
    for (const int row : {0, 1, 15, 16, 20, 36}) {
      Problem one({1, 384, 96});
      one.w = all.w;
      one.q = all.q;
      one.bias = all.bias;
      std::copy_n(all.x.begin() + row * 384, 384, one.x.begin());
      const auto single =
          run(kernel, one, bytes ? one.bytes : one.floats, Act::kGelu, false, false);
      for (int n = 0; n < 96; ++n)
        ASSERT_EQ(single[n], whole[row * 96 + n]) << row << " " << n << " " << bytes;
    }
  }
}

TEST_P(LinearTest, Int8RowOfOneValueHasNoScale) {
  Problem p({3, 40, 20});
  std::fill(p.x.begin(), p.x.end(), 2.5F);
  const auto expected = run(table("reference").f32, p, p.bytes, Act::kNone, false, false);
  EXPECT_LT(difference(run(table_->i8, p, p.bytes, Act::kNone, false, false), expected), 1e-5);
}

EMBEDFORGE_EACH_TABLE(LinearTest);

}  // namespace
}  // namespace embedforge::kernels
