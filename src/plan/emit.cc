#include "plan/emit.h"

#include <algorithm>

#include "embedforge/error.h"

namespace embedforge::raising {
namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw_not_supported("the native engine has no step for " + what);
}

LinearStep linear_step(const Linear& product) {
  LinearStep out;
  out.weight = product.weight;
  out.bias = product.bias;
  return out;
}

}  // namespace

ValueId Emitter::define(int64_t width) {
  program_.widths.push_back(static_cast<size_t>(width));
  return program_.widths.size() - 1;
}

template <typename T>
ValueId Emitter::step(const Expression& of, const T& part) {
  if constexpr (std::is_same_v<T, Embedding>) {
    EmbedStep out;
    out.width = of.width;
    out.tables = part.tables;
    out.out = define(of.width);
    program_.steps.emplace_back(std::move(out));
  } else if constexpr (std::is_same_v<T, Linear>) {
    const ValueId in = emit(part.in);
    LinearStep out = linear_step(part);
    out.in = in;
    out.out = define(of.width);
    program_.steps.emplace_back(std::move(out));
  } else if constexpr (std::is_same_v<T, Map>) {
    const auto* product = part.in->template get<Linear>();
    const auto activation = as_activation(part.values);
    if (!activation) refuse("an unknown scalar function of the tokens' values");
    if (product == nullptr) refuse("an activation that doesn't follow a product");
    const ValueId in = emit(product->in);
    LinearStep out = linear_step(*product);
    out.activation = *activation;
    out.in = in;
    out.out = define(of.width);
    program_.steps.emplace_back(std::move(out));
  } else if constexpr (std::is_same_v<T, Norm>) {
    if (part.group != 0) refuse("a normalization of heads that isn't one of q or k");
    const ValueId in = emit(part.in);
    program_.steps.emplace_back(
        NormStep{in, define(of.width), part.kind, part.gamma, part.beta, part.epsilon});
  } else if constexpr (std::is_same_v<T, Sum>) {
    const ValueId a = emit(part.a);
    const ValueId b = emit(part.b);
    program_.steps.emplace_back(AddStep{a, b, define(of.width)});
  } else if constexpr (std::is_same_v<T, Gate>) {
    const ValueId gate = emit(part.gate.of);
    const ValueId up = emit(part.up.of);
    GateStep out{.gate = gate, .up = up, .out = define(of.width), .activation = part.activation};
    out.gate_column = part.gate.column;
    out.up_column = part.up.column;
    out.width = of.width;
    program_.steps.emplace_back(out);
  } else if constexpr (std::is_same_v<T, Context>) {
    AttentionStep out;
    const Scores& scores = part.scores;
    out.heads = scores.heads;
    out.kv_heads = scores.kv_heads;
    out.head_size = scores.head_size;
    emit_attention_inputs(part, out);
    out.scale = static_cast<float>(scores.scale);
    out.causal = scores.causal;
    out.window = scores.window;
    out.relative_bias = scores.relative_bias;
    if (scores.bias_length > 0) {
      shown_length_ =
          shown_length_ == 0 ? scores.bias_length : std::min(shown_length_, scores.bias_length);
    }
    out.out = define(of.width);
    program_.steps.emplace_back(std::move(out));
  } else if constexpr (std::is_same_v<T, Rounded>) {
    return emit(part.in);
  } else {
    refuse("a part of a computation whose rest is missing");
  }
  return program_.widths.size() - 1;
}

ValueId Emitter::emit(const Ref& expression) {
  const auto found = values_.find(expression.get());
  if (found != values_.end()) return found->second;
  const ValueId out =
      std::visit([&](const auto& part) { return step(*expression, part); }, expression->as);
  values_.emplace(expression.get(), out);
  return out;
}

}  // namespace embedforge::raising
