#include "plan/emit.h"

#include <algorithm>

#include "embedforge/error.h"

namespace embedforge::raising {
namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw_not_supported("the native engine has no step for " + what);
}

LinearStep linear_step(const Product& product) {
  LinearStep out;
  out.weight = product.weight;
  out.bias = product.bias;
  return out;
}

}  // namespace

ValueId Emitter::define(int64_t width) {
  program_.widths.push_back(width);
  return static_cast<ValueId>(program_.widths.size()) - 1;
}

template <typename T>
ValueId Emitter::step(const Expression& of, const T& part) {
  if constexpr (std::is_same_v<T, Embedding>) {
    EmbedStep out;
    out.width = of.width;
    out.tables = part.tables;
    out.out = define(of.width);
    program_.steps.emplace_back(std::move(out));
  } else if constexpr (std::is_same_v<T, Product>) {
    const ValueId in = emit(part.in);
    LinearStep out = linear_step(part);
    out.in = in;
    out.out = define(of.width);
    program_.steps.emplace_back(std::move(out));
  } else if constexpr (std::is_same_v<T, Map>) {
    const auto* product = part.in->template get<Product>();
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
    program_.steps.emplace_back(GateStep{gate, up, define(of.width), part.gate.column,
                                         part.up.column, of.width, part.activation});
  } else if constexpr (std::is_same_v<T, Context>) {
    AttentionStep out;
    emit_attention_inputs(part, out);
    out.heads = out.kv_heads = part.scores.heads;
    out.head_size = part.scores.head_size;
    out.scale = static_cast<float>(part.scores.scale);
    out.out = define(of.width);
    program_.steps.emplace_back(std::move(out));
  } else if constexpr (std::is_same_v<T, Pool>) {
    const ValueId in = emit(part.in);
    program_.steps.emplace_back(PoolStep{in, define(of.width), part.kind, part.normalize});
  } else if constexpr (std::is_same_v<T, Rounded>) {
    return emit(part.in);
  } else {
    refuse("a part of a computation whose rest is missing");
  }
  return static_cast<ValueId>(program_.widths.size()) - 1;
}

ValueId Emitter::emit(const Ref& expression) {
  const auto found = values_.find(expression.get());
  if (found != values_.end()) return found->second;
  const ValueId out =
      std::visit([&](const auto& part) { return step(*expression, part); }, expression->as);
  values_.emplace(expression.get(), out);
  return out;
}

void Emitter::emit_attention_inputs(const Context& context, AttentionStep& out) {
  const Operand& q = context.scores.q;
  const Operand& k = context.scores.k;
  const Operand& v = context.v;
  out.q_column = q.column;
  out.k_column = k.column;
  out.v_column = v.column;
  std::vector<const Product*> products;
  for (const Operand* each : {&q, &k, &v}) products.push_back(each->of->get<Product>());
  const bool separate = q.of != k.of && k.of != v.of && q.of != v.of;
  const bool fresh = !values_.contains(q.of.get()) && !values_.contains(k.of.get()) &&
                     !values_.contains(v.of.get());
  std::optional<LinearStep> one;
  if (separate && fresh) one = joined(products);
  if (!one) {
    out.q = emit(q.of);
    out.k = emit(k.of);
    out.v = emit(v.of);
    return;
  }
  one->in = emit(products[0]->in);
  one->out = define(one->weight.n);
  out.q = out.k = out.v = one->out;
  out.k_column += q.of->width;
  out.v_column += q.of->width + k.of->width;
  program_.steps.emplace_back(std::move(*one));
}

}  // namespace embedforge::raising
