// Where attention finds q, k and v: projections side by side, heads normalized and rotated in
// place.
#include <algorithm>
#include <array>

#include "embedforge/error.h"
#include "plan/emit.h"

namespace embedforge::raising {
namespace {

/// q or k without what happens to its heads after the projection.
struct Peeled {
  Part root;
  HeadsStep heads;  // column, heads and head_size still unset
  bool changed() const { return !heads.gamma.empty() || !heads.rotary.frequencies.empty(); }
};

Peeled peel(const Part& operand, int64_t head_size) {
  Peeled out{operand, {}};
  if (const auto* rotated = out.root.of->get<Rotated>()) {
    out.heads.rotary = rotated->rotary;
    out.root = {rotated->in.of, rotated->in.column + out.root.column};
  }
  const auto* norm = out.root.of->get<Norm>();
  if (norm == nullptr || norm->group == 0) return out;
  const auto size = static_cast<size_t>(norm->group);
  for (size_t i = size; i < norm->gamma.size(); ++i) {
    if (norm->gamma[i] != norm->gamma[i - size]) {
      throw_not_supported("the native engine has no step for heads with norms of their own");
    }
  }
  if (norm->group != head_size) {
    throw_not_supported("the native engine has no step for a normalization of parts of heads");
  }
  out.heads.gamma.assign(norm->gamma.begin(), norm->gamma.begin() + norm->group);
  out.heads.epsilon = norm->epsilon;
  out.root = {norm->in, norm->column + out.root.column};
  return out;
}

bool overlap(size_t a, size_t a_width, size_t b, size_t b_width) {
  return a < b + b_width && b < a + a_width;
}

}  // namespace

void Emitter::emit_attention_inputs(const Context& context, AttentionStep& out) {
  const Scores& scores = context.scores;
  const std::array<Peeled, 3> parts = {
      peel(scores.q, scores.head_size), peel(scores.k, scores.head_size), {context.v, {}}};
  const std::array<ValueId*, 3> values = {&out.q, &out.k, &out.v};
  const std::array<size_t*, 3> columns = {&out.q_column, &out.k_column, &out.v_column};
  const std::array<size_t, 3> heads = {out.heads, out.kv_heads, out.kv_heads};
  std::vector<const Linear*> products;
  bool fresh = true;
  for (size_t i = 0; i < 3; ++i) {
    const Ref& of = parts[i].root.of;
    *columns[i] = parts[i].root.column;
    products.push_back(of->get<Linear>());
    fresh = fresh && !values_.contains(of.get()) && of != parts[(i + 1) % 3].root.of;
  }
  std::optional<LinearStep> one;
  if (fresh) one = joined(products);
  if (one) {
    one->in = emit(products[0]->in);
    one->out = define(one->weight.n);
    size_t first = 0;
    for (size_t i = 0; i < 3; ++i) {
      *values[i] = one->out;
      *columns[i] += first;
      first += parts[i].root.of->width;
    }
    program_.steps.emplace_back(std::move(*one));
  } else {
    for (size_t i = 0; i < 3; ++i) *values[i] = emit(parts[i].root.of);
  }
  for (size_t i = 0; i < 2; ++i) {
    if (!parts[i].changed()) continue;
    HeadsStep step = parts[i].heads;
    step.in = *values[i];
    step.column = *columns[i];
    step.heads = heads[i];
    step.head_size = out.head_size;
    const size_t width = step.heads * step.head_size;
    const bool k_beside_q = i == 0 && out.k == out.q && out.k_column == step.column + width &&
                            step.gamma.empty() && parts[1].heads.gamma.empty() &&
                            step.rotary == parts[1].heads.rotary;
    if (k_beside_q) step.heads += heads[1];
    step.out = define(static_cast<int64_t>(program_.widths[step.in]));
    for (size_t j = 0; j < 3; ++j) {
      const size_t other = heads[j] * out.head_size;
      const bool moves =
          j == i || (*values[j] == step.in &&
                     (k_beside_q || !overlap(step.column, width, *columns[j], other)));
      if (moves) *values[j] = step.out;
    }
    program_.steps.emplace_back(std::move(step));
    if (k_beside_q) break;
  }
}

}  // namespace embedforge::raising
