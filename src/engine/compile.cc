#include "engine/compile.h"

#include <algorithm>
#include <exception>
#include <ranges>
#include <utility>

#include "base/cpu.h"
#include "embedforge/error.h"
#include "engine/slots.h"

namespace embedforge {
namespace {

/// Inner columns of an 8-bit feed-forward layer at a time. They share a row's range, so their
/// number must not depend on the processor: the vectors would.
constexpr size_t kInt8Chunk = 384;

/// Inner columns of a feed-forward layer at a time: both weight chunks together take a third of the
/// L2 cache.
size_t choose_chunk(const PackedLinear& up, Tier tier) {
  if (tier == Tier::kInt8) return std::min(kInt8Chunk, up.n);
  const kernels::LinearKernel& kernel = *up.kernel;
  const auto block = static_cast<size_t>(kernel.column_block);
  const size_t column_bytes = kernel.weight_bytes(as_int(up.k), kernel.column_block) / block;
  const size_t step = std::max<size_t>(64, block);
  const size_t wanted = cpu_features().l2_bytes / 3 / (2 * column_bytes);
  const size_t most = std::max(step, std::min(wanted, up.n) / step * step);
  const size_t chunks = (up.n + most - 1) / most;
  return ((up.n + chunks - 1) / chunks + step - 1) / step * step;
}

/// The cached pack is of another program; caught by compile().
struct StalePack : std::exception {};

/// Attention is rounded as much as the layers are.
decltype(AttentionOp::kernel) attention_kernel(const Program& program, Compute compute,
                                               const kernels::KernelTable& table) {
  const auto any = [&](Tier tier) {
    return std::ranges::any_of(program.steps, [&](const Step& s) {
      const auto* linear = std::get_if<LinearStep>(&s);
      return linear != nullptr && choose_tier(linear->weight, compute, table) == tier;
    });
  };
  if (any(Tier::kInt8)) return table.attention_i16;
  return any(Tier::kBfloat16) ? table.attention_bf16 : table.attention;
}

class Compiler {
 public:
  Compiler(const Program& program, const kernels::KernelTable& table, const CompileOptions& options)
      : program_(program),
        table_(table),
        options_(options),
        attention_(attention_kernel(program, options.compute, table)),
        uses_(program.widths.size(), 0) {
    for (const Step& step : program_.steps) {
      for (const ValueId v : inputs(step)) ++uses_[v];
    }
    ++uses_[program_.hidden];
  }

  std::vector<Op> run() {
    while (next_ < program_.steps.size()) {
      const Step& step = program_.steps[next_++];
      op_ = {.in = inputs(step), .out = output(step), .as = {}};
      std::visit([this](const auto& s) { take(s); }, step);
      ops_.push_back(std::move(op_));
    }
    return std::move(ops_);
  }

 private:
  /// The next step when it is a T that reads the value that op_ defines and nothing else does.
  template <typename T>
  const T* follower() const {
    if (!options_.fuse || next_ == program_.steps.size() || uses_[op_.out] != 1) return nullptr;
    const T* next = std::get_if<T>(&program_.steps[next_]);
    if (next == nullptr) return nullptr;
    return std::ranges::count(next->inputs(), op_.out) == 1 ? next : nullptr;
  }

  /// A norm that follows the value which op_ defines becomes part of it.
  void take_norm(std::optional<NormStep>& norm) {
    const auto* next = follower<NormStep>();
    if (next == nullptr) return;
    norm = *next;
    op_.out = next->out;
    ++next_;
  }

  /// So do a residual sum and a norm. The kernel adds before the activation, the sum comes after.
  void take_tail(Tail& tail) {
    const auto* sum = tail.act == Activation::kNone ? follower<AddStep>() : nullptr;
    if (sum != nullptr) {
      tail.add = sum->a == op_.out ? sum->b : sum->a;
      op_.in.push_back(*tail.add);
      op_.out = sum->out;
      ++next_;
    }
    take_norm(tail.norm);
  }

  PackedLinear pack(const Weight& weight, size_t k_begin, size_t k_count) {
    std::optional<PackedLinear> packed =
        pack_linear(weight, k_begin, k_count, options_.compute, table_, options_.cache);
    if (!packed) throw StalePack();
    return *std::move(packed);
  }
  PackedLinear pack(const Weight& weight) { return pack(weight, 0, static_cast<size_t>(weight.k)); }
  Tier tier(const Weight& weight) const { return choose_tier(weight, options_.compute, table_); }

  void take(const EmbedStep& step) {
    EmbedOp op{step, std::nullopt};
    take_norm(op.norm);
    op_.as = std::move(op);
  }

  void take(const LinearStep& step) {
    if (step.activation != Activation::kNone) {
      const auto* down = follower<LinearStep>();
      if (down != nullptr && down->activation == Activation::kNone &&
          tier(step.weight) == tier(down->weight)) {
        take_feed_forward(step, *down);
        return;
      }
    }
    LinearOp op{.weight = {}, .tail = {.bias = step.bias, .act = step.activation}};
    if (options_.fuse) op.weight = pack(step.weight);
    take_tail(op.tail);
    op_.as = std::move(op);
  }

  void take_feed_forward(const LinearStep& up, const LinearStep& down) {
    ++next_;
    op_.out = down.out;
    FeedForwardOp op;
    op.inner = {.bias = up.bias, .act = up.activation};
    op.tail = {.bias = down.bias};
    op.up = pack(up.weight);
    op.chunk = choose_chunk(op.up, tier(up.weight));
    const auto inner = static_cast<size_t>(down.weight.k);
    for (size_t k = 0; k < inner; k += op.chunk)
      op.down.push_back(pack(down.weight, k, std::min(op.chunk, inner - k)));
    take_tail(op.tail);
    op_.as = std::move(op);
  }

  void take(const AttentionStep& step) {
    if (program_.widths[step.k] != program_.widths[step.v]) {
      throw_not_supported("the native engine needs k and v of attention in values of one width");
    }
    op_.as = AttentionOp{.step = step, .kernel = attention_};
  }
  void take(const HeadsStep& step) { op_.as = HeadsOp{step}; }
  template <typename T>
  void take(const T& step) {
    op_.as = step;
  }

  const Program& program_;
  const kernels::KernelTable& table_;
  const CompileOptions& options_;
  decltype(AttentionOp::kernel) const attention_;
  std::vector<size_t> uses_;
  size_t next_ = 0;
  Op op_;  // the one that is being made
  std::vector<Op> ops_;
};

}  // namespace

LinearOp linear_op(const LinearStep& step, const kernels::KernelTable& table) {
  const auto k = static_cast<size_t>(step.weight.k);
  return {.weight = *pack_linear(step.weight, 0, k, Compute::kFloat32, table, nullptr),
          .tail = {.bias = step.bias, .act = step.activation}};
}

Compiled compile(const Program& program, const kernels::KernelTable& table,
                 const CompileOptions& options) {
  if (program.hidden == kNoValue)
    throw_not_supported("the graph has no token embeddings as an output");
  Compiled out;
  try {
    out.ops = Compiler(program, table, options).run();
  } catch (const StalePack&) {
    options.cache->start_over();
    out.ops = Compiler(program, table, options).run();
  }
  if (options.cache != nullptr) options.cache->commit();
  for (Op& op : std::views::reverse(out.ops)) {
    if (std::holds_alternative<HeadsOp>(op.as)) break;  // it takes a token's position from its row
    if (auto* attention = std::get_if<AttentionOp>(&op.as)) {
      attention->last = true;
      break;
    }
  }
  for (Op& op : out.ops) {
    auto* heads = std::get_if<HeadsOp>(&op.as);
    if (heads == nullptr) continue;
    const auto found = std::ranges::find(out.rotaries, heads->step.rotary);
    heads->rotary = static_cast<size_t>(found - out.rotaries.begin());
    if (found == out.rotaries.end()) out.rotaries.push_back(heads->step.rotary);
  }
  out.widths = program.widths;
  out.hidden = program.hidden;
  out.hidden_size = program.widths[program.hidden];
  out.max_positions = program.max_positions;
  out.vocabulary = program.vocabulary;
  assign_slots(out);
  return out;
}

}  // namespace embedforge
