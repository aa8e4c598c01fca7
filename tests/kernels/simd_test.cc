// Each simd.h against plain scalars, operation by operation (kernels/simd/concept.h).
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "kernels/simd/operations.h"
#include "kernels/table_fixture.h"

namespace embedforge::kernels {
namespace {

using Operations = void (*)(const SimdOperands&, SimdResults&);

/// Null for a table that has no simd.h of its own.
Operations operations_of(const std::string& name) {
  if (name == "portable") return portable_operations;
#ifdef __x86_64__
  if (name == "avx2") return avx2_operations;
  if (name == "avx512") return avx512_operations;
#endif
  return nullptr;
}

class SimdTest : public TableTest {
 protected:
  void SetUp() override {
    TableTest::SetUp();
    run_ = operations_of(GetParam());
    if (!IsSkipped() && run_ == nullptr) GTEST_SKIP() << GetParam() << " has no simd.h";
  }

  /// Floats of every magnitude, some that cancel in a * b + c and some whose sums are ties.
  SimdOperands operands() {
    SimdOperands x = {};
    for (int l = 0; l < kMostLanes; ++l) {
      const int kind = within(0, 3);
      const int spread = kind == 0 ? 4 : 30;
      x.a[l] = any_float(spread, kind == 1);
      x.b[l] = any_float(spread, kind == 1);
      x.c[l] = kind == 2 ? -x.a[l] * x.b[l] : any_float(spread, false);
      if (kind == 3) x.c[l] = std::ldexp(any_float(1, true), within(-60, 60));
      x.small[l] =
          static_cast<float>(within(-(1 << 22), 1 << 22)) / std::ldexp(1.0F, within(0, 23));
      x.powers[l] = static_cast<float>(within(-60, 60));
      x.shorts[l] = static_cast<float>(within(-2 * 32767, 2 * 32767)) / 2;
      x.bytes[l] = static_cast<float>(within(0, 4 * 255)) / 4;
      x.i[l] = within(-(1 << 30), 1 << 30);
      x.j[l] = static_cast<int32_t>(engine_());
      x.k[l] = static_cast<int32_t>(engine_()) & 0x1FFF1FFF;  // the sum stays within 32 bits
    }
    return x;
  }

  int within(int low, int high) { return std::uniform_int_distribution<int>(low, high)(engine_); }
  /// A sign, 24 (or a few) bits and an exponent within +-spread.
  float any_float(int spread, bool few_bits) {
    const int bits = few_bits ? within(1, 15) : within(1 << 23, (1 << 24) - 1);
    const float value = std::ldexp(static_cast<float>(bits), within(-spread, spread) - 12);
    return within(0, 1) == 0 ? value : -value;
  }

  std::mt19937 engine_{1};
  Operations run_ = nullptr;
};

/// The sum of lanes [0, width): halves are added until one is left.
float folded(const float* lanes, int width) {
  std::vector<float> v(lanes, lanes + width);
  for (int half = width / 2; half > 0; half /= 2) {
    for (int l = 0; l < half; ++l) v[l] += v[l + half];
  }
  return v[0];
}

int32_t low_half(int32_t v) { return static_cast<int16_t>(v & 0xFFFF); }

TEST_P(SimdTest, EveryOperationIsThatOfScalars) {
  for (int round = 0; round < 2000; ++round) {
    SimdOperands x = operands();
    SimdResults got;
    run_(x, got);
    const int width = got.width;
    x.n = round % (width + 1);
    got = {};
    run_(x, got);
    for (int l = 0; l < width; ++l) {
      const float a = x.a[l];
      const float b = x.b[l];
      const bool first = l < x.n;
      ASSERT_EQ(got.loaded[l], a);
      ASSERT_EQ(got.loaded_first[l], first ? a : 0.0F);
      ASSERT_EQ(got.stored_first[l], first ? a : 0.0F);
      ASSERT_EQ(got.kept[l], first ? a : b);
      ASSERT_EQ(got.set[l], x.a[0]);
      ASSERT_EQ(got.zero[l], 0.0F);
      ASSERT_EQ(got.add[l], a + b);
      ASSERT_EQ(got.sub[l], a - b);
      ASSERT_EQ(got.mul[l], a * b);
      ASSERT_EQ(got.div[l], a / b);
      ASSERT_EQ(got.fma[l], std::fma(a, b, x.c[l]))
          << std::hexfloat << a << " " << b << " " << x.c[l];
      ASSERT_EQ(got.fma_of_fma[l], std::fma(b, x.c[l], std::fma(a, b, x.c[l])));
      ASSERT_EQ(got.min[l], a < b ? a : b);
      ASSERT_EQ(got.max[l], a > b ? a : b);
      ASSERT_EQ(got.round[l], std::nearbyint(x.small[l]));
      ASSERT_EQ(got.to_int[l], static_cast<int32_t>(std::nearbyint(x.small[l])));
      ASSERT_EQ(got.scaled[l], std::ldexp(a, static_cast<int>(x.powers[l])));
      ASSERT_EQ(got.to_float[l], static_cast<float>(x.i[l]));
      ASSERT_EQ(got.set_int[l], x.i[0]);
      ASSERT_EQ(got.pairs[l],
                x.i[l] + low_half(x.j[l]) * low_half(x.k[l]) + (x.j[l] >> 16) * (x.k[l] >> 16));
      const auto low = static_cast<int16_t>(std::nearbyint(x.shorts[l]));
      const auto high = static_cast<int32_t>(std::nearbyint(x.bytes[l]));
      ASSERT_EQ(got.joined[l], (high << 16) | (low & 0xFFFF));
      ASSERT_EQ(got.shorts[l], low);
      ASSERT_EQ(got.bytes[l], high);
    }
    for (int l = width; l < kMostLanes; ++l) ASSERT_EQ(got.loaded[l], 0.0F);
    ASSERT_EQ(got.sum, folded(x.a, width));
    ASSERT_EQ(got.largest, *std::max_element(x.a, x.a + width));
    ASSERT_EQ(got.smallest, *std::min_element(x.a, x.a + width));
  }
}

TEST_P(SimdTest, NothingIsMadeOfInfinityAndNaN) {
  SimdOperands x = operands();
  const float infinity = std::numeric_limits<float>::infinity();
  const float values[][3] = {{infinity, 2, 1},         {1, 2, infinity}, {3e38F, 10, 1},
                             {infinity, 2, -infinity}, {NAN, 1, 1},      {1, 1, NAN},
                             {1e-30F, 1e-30F, 1e-45F}, {0, 0, 0},        {1e-25F, 1e-20F, 3e-45F}};
  for (const auto& [a, b, c] : values) {
    x.a[0] = a;
    x.b[0] = b;
    x.c[0] = c;
    SimdResults got;
    run_(x, got);
    const float expected = std::fma(a, b, c);
    EXPECT_TRUE(got.fma[0] == expected || (std::isnan(got.fma[0]) && std::isnan(expected)))
        << a << " " << b << " " << c << ": " << got.fma[0];
  }
  x.a[0] = NAN;
  x.b[0] = 5;
  SimdResults got;
  run_(x, got);
  EXPECT_EQ(got.min[0], 5);  // the second where one isn't a number
  EXPECT_EQ(got.max[0], 5);
}

EMBEDFORGE_EACH_TABLE(SimdTest);

}  // namespace
}  // namespace embedforge::kernels
