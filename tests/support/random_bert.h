// A BERT encoder of any shape with seeded random weights, as a program: for tests and benchmarks of
// the engine.
#pragma once

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "plan/program.h"

namespace embedforge {

struct BertShape {
  size_t hidden = 384, layers = 6, heads = 12, inner = 1536, vocabulary = 30522, positions = 512;
};

inline constexpr BertShape kMiniLm{};
inline constexpr BertShape kBertBase{768, 12, 12, 3072, 30522, 512};
inline constexpr BertShape kBertLarge{1024, 24, 16, 4096, 30522, 512};

class RandomBert {
 public:
  explicit RandomBert(BertShape shape, unsigned seed = 1) : shape_(shape), engine_(seed) {}

  Program build() {
    const size_t h = shape_.hidden;
    Program p;
    p.hidden_size = h;
    p.vocabulary = shape_.vocabulary;
    p.max_positions = shape_.positions;
    const auto value = [&](size_t width) {
      p.widths.push_back(width);
      return p.widths.size() - 1;
    };
    EmbedStep embed;
    embed.out = value(h);
    embed.width = h;
    embed.tables = {
        {.source = EmbedStep::Source::kTokenId, .rows = matrix(shape_.vocabulary, h, 0.05F)},
        {.source = EmbedStep::Source::kPosition, .rows = matrix(shape_.positions, h, 0.02F)},
        {.source = EmbedStep::Source::kTokenType, .rows = matrix(2, h, 0.02F)}};
    p.steps.emplace_back(embed);
    ValueId x = norm(p, embed.out, value(h));
    for (size_t layer = 0; layer < shape_.layers; ++layer) {
      const ValueId qkv = linear(p, x, value(3 * h), h, 3 * h, Activation::kNone);
      AttentionStep attention{.q = qkv,
                              .k = qkv,
                              .v = qkv,
                              .out = value(h),
                              .k_column = h,
                              .v_column = 2 * h,
                              .heads = shape_.heads,
                              .kv_heads = shape_.heads,
                              .head_size = h / shape_.heads};
      attention.scale = 1.0F / std::sqrt(static_cast<float>(attention.head_size));
      p.steps.emplace_back(attention);
      const ValueId o = linear(p, attention.out, value(h), h, h, Activation::kNone);
      const ValueId sum = value(h);
      p.steps.emplace_back(AddStep{x, o, sum});
      x = norm(p, sum, value(h));
      const ValueId up = linear(p, x, value(shape_.inner), h, shape_.inner, Activation::kGelu);
      const ValueId down = linear(p, up, value(h), shape_.inner, h, Activation::kNone);
      const ValueId sum2 = value(h);
      p.steps.emplace_back(AddStep{down, x, sum2});
      x = norm(p, sum2, value(h));
    }
    p.hidden = x;
    p.head = {PoolStep{{Pooling::kMean}}};
    return p;
  }

 private:
  std::vector<float> normal(size_t count, float spread, float mean = 0) {
    std::normal_distribution<float> distribution(mean, spread);
    std::vector<float> v(count);
    for (float& x : v) x = distribution(engine_);
    return v;
  }
  Tensor matrix(size_t rows, size_t columns, float spread) {
    return Tensor::from_floats({static_cast<int64_t>(rows), static_cast<int64_t>(columns)},
                               normal(rows * columns, spread));
  }
  ValueId norm(Program& p, ValueId in, ValueId out) {
    NormStep step{.in = in, .out = out, .epsilon = 1e-12F};
    step.gamma = normal(shape_.hidden, 0.1F, 1);
    step.beta = normal(shape_.hidden, 0.1F);
    p.steps.emplace_back(step);
    return out;
  }
  ValueId linear(Program& p, ValueId in, ValueId out, size_t k, size_t n, Activation activation) {
    LinearStep step{.in = in, .out = out, .activation = activation};
    step.weight = float_weight(normal(k * n, 1.0F / std::sqrt(static_cast<float>(k))), k, n);
    step.weight.name = "w" + std::to_string(out);
    step.bias = normal(n, 0.1F);
    p.steps.emplace_back(std::move(step));
    return out;
  }

  BertShape shape_;
  std::mt19937 engine_;
};

}  // namespace embedforge
