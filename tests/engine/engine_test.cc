#include "engine/engine.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "embedforge/error.h"
#include "kernels/select.h"
#include "plan/interpret_program.h"
#include "support/random_bert.h"

namespace embedforge {
namespace {

constexpr BertShape kSmall{
    .hidden = 96, .layers = 2, .heads = 3, .inner = 352, .vocabulary = 100, .positions = 300};

struct Tokens {
  std::vector<int32_t> ids;
  std::vector<size_t> offsets{0};

  void add(int length, int seed) {
    for (int j = 0; j < length; ++j) ids.push_back((seed * 31 + j * 7) % 100);
    offsets.push_back(ids.size());
  }
  TokenBatch batch() const { return {ids, {}, offsets}; }
  TokenBatch one(size_t i) const {
    return {std::span(ids).subspan(offsets[i], offsets[i + 1] - offsets[i]), {}, bounds[i]};
  }
  void make_singles() {
    for (size_t i = 0; i + 1 < offsets.size(); ++i)
      bounds.push_back({0, offsets[i + 1] - offsets[i]});
  }
  std::vector<std::vector<size_t>> bounds;
};

Tokens mixed_lengths() {
  Tokens t;
  for (const int length : {1, 2, 7, 16, 17, 33, 64, 100, 130, 300, 5, 5})
    t.add(length, static_cast<int>(t.offsets.size()));
  t.make_singles();
  return t;
}

std::vector<float> embed(const Engine& engine, const TokenBatch& batch) {
  std::vector<float> out(batch.sequences() * engine.width(),
                         std::numeric_limits<float>::quiet_NaN());
  engine.pooled(batch, out.data());
  return out;
}

double cosine(const float* a, const float* b, size_t n) {
  double dot = 0;
  double aa = 0;
  double bb = 0;
  for (size_t i = 0; i < n; ++i) {
    dot += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return dot / std::sqrt(aa * bb);
}

class EngineTest : public ::testing::TestWithParam<std::tuple<std::string, Compute>> {
 protected:
  void SetUp() override {
    const auto& [name, compute] = GetParam();
    const std::string reason = kernels::why_unsupported(name);
    if (!reason.empty()) GTEST_SKIP() << name << ": " << reason;
    if (compute == Compute::kBfloat16 && kernels::table(name).bf16.run == nullptr)
      GTEST_SKIP() << name << " has no bfloat16 products";
  }
  Engine engine(const Program& program, int threads) const {
    const auto& [name, compute] = GetParam();
    return Engine(program,
                  {.table = &kernels::table(name), .compute = compute, .threads = threads});
  }
};

TEST_P(EngineTest, AgreesWithThePlainInterpreter) {
  const Program program = RandomBert(kSmall).build();
  const Tokens tokens = mixed_lengths();
  const Engine native = engine(program, 2);
  const size_t width = native.hidden_size();
  std::vector<float> hidden(tokens.ids.size() * width);
  native.tokens(tokens.batch(), hidden.data());
  const Compute compute = std::get<1>(GetParam());
  const double least = compute == Compute::kFloat32    ? 0.9999999
                       : compute == Compute::kBfloat16 ? 0.9999
                                                       : 0.998;
  for (size_t s = 0; s < tokens.batch().sequences(); ++s) {
    const TokenBatch one = tokens.one(s);
    const std::vector<int64_t> ids(one.ids.begin(), one.ids.end());
    const std::vector<float> expected =
        testing::interpret(program, {{ids}, {std::vector<int64_t>(ids.size(), 0)}}).hidden[0];
    ASSERT_EQ(expected.size(), one.ids.size() * width);
    for (size_t t = 0; t < one.ids.size(); ++t) {
      EXPECT_GT(cosine(expected.data() + t * width, hidden.data() + (tokens.offsets[s] + t) * width,
                       width),
                least)
          << "sequence " << s << " token " << t;
    }
  }
}

TEST_P(EngineTest, ARowDoesNotDependOnItsBatchOrTheThreads) {
  Program program = RandomBert(kSmall).build();
  const Tokens tokens = mixed_lengths();
  for (const Pooling pooling : {Pooling::kMean, Pooling::kCls, Pooling::kMax, Pooling::kLast}) {
    program.head = {PoolStep{{pooling}}};
    const Engine alone = engine(program, 1);
    const Engine team = engine(program, 3);
    const std::vector<float> batch = embed(team, tokens.batch());
    EXPECT_EQ(batch, embed(alone, tokens.batch()));
    for (size_t s = 0; s < tokens.batch().sequences(); ++s) {
      const std::vector<float> row(
          batch.begin() + static_cast<long>(s * alone.hidden_size()),
          batch.begin() + static_cast<long>((s + 1) * alone.hidden_size()));
      EXPECT_EQ(row, embed(alone, tokens.one(s))) << s;
      EXPECT_EQ(row, embed(team, tokens.one(s))) << s;
    }
  }
}

TEST_P(EngineTest, WantedRowsAreThoseOfAllRows) {
  Program program = RandomBert(kSmall).build();
  const Tokens tokens = mixed_lengths();
  for (const int threads : {1, 3}) {
    const Engine native = engine(program, threads);
    const size_t width = native.hidden_size();
    std::vector<float> hidden(tokens.ids.size() * width);
    native.tokens(tokens.batch(), hidden.data());
    program.head = {PoolStep{{Pooling::kCls}}};
    const std::vector<float> first = embed(engine(program, threads), tokens.batch());
    program.head = {PoolStep{{Pooling::kLast}}};
    const std::vector<float> last = embed(engine(program, threads), tokens.batch());
    for (size_t s = 0; s < tokens.batch().sequences(); ++s) {
      const float* begin = hidden.data() + tokens.offsets[s] * width;
      const float* end = hidden.data() + (tokens.offsets[s + 1] - 1) * width;
      EXPECT_TRUE(std::equal(begin, begin + width, first.data() + s * width)) << s;
      EXPECT_TRUE(std::equal(end, end + width, last.data() + s * width)) << s;
    }
  }
}

const auto kTiers =
    ::testing::Combine(::testing::ValuesIn(kernels::table_names()),
                       ::testing::Values(Compute::kFloat32, Compute::kBfloat16, Compute::kInt8));
INSTANTIATE_TEST_SUITE_P(Tiers, EngineTest, kTiers, [](const auto& info) {
  const Compute p = std::get<1>(info.param);
  return std::get<0>(info.param) + (p == Compute::kFloat32    ? "_float32"
                                    : p == Compute::kBfloat16 ? "_bf16"
                                                              : "_int8");
});

class Int8Bits : public ::testing::TestWithParam<std::string> {};

/// Integer sums are exact and float sums are added in one order. (The reference table has its own.)
TEST_P(Int8Bits, AreThoseOfAvx2) {
  for (const std::string& name : {std::string("avx2"), GetParam()}) {
    if (!kernels::why_unsupported(name).empty())
      GTEST_SKIP() << name << ": " << kernels::why_unsupported(name);
  }
  const Program program = RandomBert(kSmall).build();
  const Tokens tokens = mixed_lengths();
  const auto vectors = [&](const std::string& name, int threads) {
    const Engine engine(
        program, {.table = &kernels::table(name), .compute = Compute::kInt8, .threads = threads});
    return embed(engine, tokens.batch());
  };
  EXPECT_EQ(vectors(GetParam(), 2), vectors("avx2", 1));
}

INSTANTIATE_TEST_SUITE_P(Tables, Int8Bits, ::testing::Values("portable", "avx512", "amx"),
                         [](const auto& info) { return info.param; });

TEST(Engine, LongSequencesAndEmptyOnes) {
  BertShape shape = kSmall;
  shape.positions = 8192;
  const Engine engine(RandomBert(shape).build(), {.threads = 2});
  Tokens tokens;
  tokens.add(8192, 1);
  tokens.add(0, 2);
  tokens.add(3, 3);
  const std::vector<float> out = embed(engine, tokens.batch());
  for (size_t i = 0; i < engine.hidden_size(); ++i) {
    EXPECT_TRUE(std::isfinite(out[i]));
    EXPECT_EQ(out[engine.hidden_size() + i], 0);
    EXPECT_TRUE(std::isfinite(out[2 * engine.hidden_size() + i]));
  }
  EXPECT_TRUE(embed(engine, Tokens().batch()).empty());
}

template <typename Function>
Error error_of(Function f) {
  try {
    f();
  } catch (const Error& e) {
    return e;
  }
  return {ErrorCode::kBug, "nothing was thrown"};
}

TEST(Engine, BadInputIsNamed) {
  const Engine engine(RandomBert(kSmall).build(), {.threads = 1});
  const std::vector<int32_t> ids = {5, 100};
  const std::vector<size_t> offsets = {0, 2};
  std::vector<float> out(engine.hidden_size());
  Error e = error_of([&] { engine.pooled({ids, {}, offsets}, out.data()); });
  EXPECT_EQ(e.code(), ErrorCode::kBadInput);
  EXPECT_NE(std::string(e.what()).find("token id 100"), std::string::npos) << e.what();

  Tokens tokens;
  tokens.add(301, 1);
  e = error_of([&] { engine.pooled(tokens.batch(), out.data()); });
  EXPECT_EQ(e.code(), ErrorCode::kBadInput);
  EXPECT_NE(std::string(e.what()).find("301 tokens"), std::string::npos) << e.what();
}

TEST(Engine, NaNWeightsAndZeroScalesAreRefused) {
  Program program = RandomBert(kSmall).build();
  LinearStep* linear = nullptr;
  for (Step& s : program.steps) {
    if (linear == nullptr) linear = std::get_if<LinearStep>(&s);
  }
  const Weight whole = linear->weight;
  std::vector<float> values(whole.data().as<float>().begin(), whole.data().as<float>().end());
  values[17] = std::numeric_limits<float>::quiet_NaN();
  linear->weight.format = FloatFormat{Tensor::from_floats({whole.k, whole.n}, values)};
  Error e = error_of([&] { Engine{program}; });
  EXPECT_EQ(e.code(), ErrorCode::kBadInput);
  EXPECT_NE(std::string(e.what()).find(whole.name), std::string::npos) << e.what();

  linear->weight = whole;
  const auto n = static_cast<size_t>(whole.n);
  std::vector<int8_t> ones(static_cast<size_t>(whole.k) * n, 1);
  linear->weight.format =
      Int8Format{.data = Tensor::from<int8_t>(DataType::kInt8, {whole.k, whole.n}, std::move(ones)),
                 .scales = std::vector<float>(n, 0.0F),
                 .zero_points = std::vector<int32_t>(n, 0),
                 .activation = ActivationQuant{}};
  e = error_of([&] { Engine{program}; });
  EXPECT_EQ(e.code(), ErrorCode::kBadInput);
}

TEST(Engine, Bfloat16WhereThereIsNoneIsNotSupported) {
  if (!kernels::why_unsupported("avx2").empty()) GTEST_SKIP() << kernels::why_unsupported("avx2");
  const Error e = error_of([&] {
    Engine(RandomBert(kSmall).build(),
           {.table = &kernels::table("avx2"), .compute = Compute::kBfloat16});
  });
  EXPECT_EQ(e.code(), ErrorCode::kNotSupported);
}

}  // namespace
}  // namespace embedforge
