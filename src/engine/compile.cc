#include "engine/compile.h"

#include <algorithm>
#include <exception>
#include <ranges>

#include "base/cpu.h"
#include "embedforge/error.h"
#include "engine/slots.h"

namespace embedforge {
namespace {

NormValues values_of(const NormStep& s) { return {s.kind, s.gamma, s.beta, s.epsilon}; }

/// Inner columns of an 8-bit feed-forward layer at a time. They share a row's range, so their
/// number must not depend on the processor: the vectors would.
constexpr int kInt8Chunk = 384;

/// Inner columns of a feed-forward layer at a time: both weight chunks together take a third of the
/// L2 cache.
int choose_chunk(const kernels::LinearKernel& kernel, Tier tier, int width, int inner) {
  if (tier == Tier::kInt8) {
    return std::min(kInt8Chunk, inner);
  }
  const size_t column_bytes =
      kernel.weight_bytes(width, kernel.column_block) / static_cast<size_t>(kernel.column_block);
  const int step = std::max(64, kernel.column_block);
  const auto wanted = static_cast<int>(cpu_features().l2_bytes / 3 / (2 * column_bytes));
  const int most = std::max(step, std::min(wanted, inner) / step * step);
  const int chunks = (inner + most - 1) / most;
  return ((inner + chunks - 1) / chunks + step - 1) / step * step;
}

/// The cached pack is of another program; caught by compile().
struct StalePack : std::exception {};

/// Attention is rounded as much as the layers are.
decltype(AttentionOp::kernel) attention_kernel(const Program& program, Compute compute,
                                               const kernels::KernelTable& table) {
  const auto any = [&](Tier tier) {
    return std::any_of(program.steps.begin(), program.steps.end(), [&](const Step& s) {
      const auto* linear = std::get_if<LinearStep>(&s);
      return linear != nullptr && choose_tier(linear->weight, compute, table) == tier;
    });
  };
  if (any(Tier::kInt8)) return table.attention_i16;
  return any(Tier::kBfloat16) ? table.attention_bf16 : table.attention;
}

class Compiler {
 public:
  Compiler(const Program& program, Compute compute, const kernels::KernelTable& table,
           PackCache* cache)
      : program_(program),
        compute_(compute),
        table_(table),
        cache_(cache),
        attention_(attention_kernel(program, compute, table)) {
    count_uses();
  }

  std::vector<Op> run() {
    while (next_ < program_.steps.size())
      std::visit([this](const auto& step) { take(step); }, program_.steps[next_]);
    return std::move(ops_);
  }

 private:
  void count_uses() {
    uses_.assign(program_.widths.size(), 0);
    for (const Step& step : program_.steps) {
      for_each_input(step, [this](ValueId v) { ++uses_[static_cast<size_t>(v)]; });
    }
    if (program_.hidden >= 0) ++uses_[static_cast<size_t>(program_.hidden)];
  }

  /// The next step when it is a T; nullptr otherwise.
  template <typename T>
  const T* peek() const {
    return next_ < program_.steps.size() ? std::get_if<T>(&program_.steps[next_]) : nullptr;
  }
  bool only_use(ValueId v) const { return uses_[static_cast<size_t>(v)] == 1; }

  std::optional<NormValues> take_norm(ValueId& out) {
    const auto* norm = peek<NormStep>();
    if (norm == nullptr || norm->in != out || !only_use(out)) return std::nullopt;
    ++next_;
    out = norm->out;
    return values_of(*norm);
  }

  /// A residual sum and a norm that follow the layer which defined op.out become part of it.
  template <typename LayerOp>
  void take_tail(LayerOp& op) {
    const auto* add = peek<AddStep>();
    if (add != nullptr && (add->a == op.out || add->b == op.out) && only_use(op.out) &&
        op.act_is_last()) {
      op.op.add = add->a == op.out ? add->b : add->a;
      op.out = add->out;
      ++next_;
    }
    op.op.norm = take_norm(op.out);
    op.op.out = op.out;
  }

  void take(const EmbedStep& step) {
    EmbedOp op{step, step.out, std::nullopt};
    ++next_;
    op.norm = take_norm(op.out);
    ops_.emplace_back(std::move(op));
  }

  PackedLinear pack(const Weight& weight, int64_t k_begin, int64_t k_count, Tier tier) {
    std::optional<PackedLinear> packed =
        pack_linear(weight, k_begin, k_count, tier, table_, cache_);
    if (!packed) throw StalePack();
    return *std::move(packed);
  }

  /// Those of input channels [k_begin, k_begin + k_count), counted from k_begin.
  FloatChannels pack_floats(const Weight& weight, int64_t k_begin, int64_t k_count) const {
    FloatChannels out;
    if (!keeps_integers(weight, compute_, table_)) return out;
    const auto up = [](size_t count, size_t step) { return (count + step - 1) / step * step; };
    const auto n = static_cast<size_t>(weight.n);
    out.stride = up(n, kernels::kFloatColumns);
    for (size_t j = 0; j < weight.float_channels.size(); ++j) {
      const int64_t channel = weight.float_channels[j] - k_begin;
      if (channel < 0 || channel >= k_count) continue;
      out.channels.push_back(static_cast<int32_t>(channel));
      const auto row = weight.float_rows.begin() + static_cast<ptrdiff_t>(j * n);
      out.weight.insert(out.weight.end(), row, row + weight.n);
      out.weight.resize(out.channels.size() * out.stride);
    }
    out.padded = static_cast<int>(up(out.channels.size(), kernels::kFloatGroup));
    out.weight.resize(static_cast<size_t>(out.padded) * out.stride);
    return out;
  }

  struct LinearTail {
    LinearOp& op;
    ValueId out;
    // add comes after the activation; the kernel adds before it
    bool act_is_last() const { return op.act == kernels::Act::kNone; }
  };
  struct FeedForwardTail {
    FeedForwardOp& op;
    ValueId out;
    static bool act_is_last() { return true; }
  };

  void take(const LinearStep& step) {
    ++next_;
    const auto* down = peek<LinearStep>();
    if (step.activation != Activation::kNone && down != nullptr && down->in == step.out &&
        only_use(step.out) && down->activation == Activation::kNone &&
        choose_tier(step.weight, compute_, table_) == choose_tier(down->weight, compute_, table_)) {
      take_feed_forward(step, *down);
      return;
    }
    LinearOp op;
    op.in = step.in;
    op.weight = pack(step.weight, 0, step.weight.k, choose_tier(step.weight, compute_, table_));
    op.floats = pack_floats(step.weight, 0, step.weight.k);
    op.channel_scale = channel_scale(step.weight, compute_, table_);
    op.bias = step.bias;
    op.act = step.activation;
    LinearTail tail{op, step.out};
    take_tail(tail);
    ops_.emplace_back(std::move(op));
  }

  void take_feed_forward(const LinearStep& up, const LinearStep& down) {
    ++next_;
    const Tier tier = choose_tier(up.weight, compute_, table_);
    FeedForwardOp op;
    op.in = up.in;
    op.act = up.activation;
    op.up_bias = up.bias;
    op.down_bias = down.bias;
    op.up = pack(up.weight, 0, up.weight.k, tier);
    op.up_floats = pack_floats(up.weight, 0, up.weight.k);
    op.up_scale = channel_scale(up.weight, compute_, table_);
    op.down_scale = channel_scale(down.weight, compute_, table_);
    op.chunk = choose_chunk(*op.up.kernel, tier, op.up.k, op.up.n);
    for (int64_t k = 0; k < down.weight.k; k += op.chunk) {
      const int64_t count = std::min<int64_t>(op.chunk, down.weight.k - k);
      op.down.push_back(pack(down.weight, k, count, tier));
      op.down_floats.push_back(pack_floats(down.weight, k, count));
    }
    FeedForwardTail tail{op, down.out};
    take_tail(tail);
    ops_.emplace_back(std::move(op));
  }

  void take(const AttentionStep& step) {
    ++next_;
    const auto width = [&](ValueId v) { return program_.widths[static_cast<size_t>(v)]; };
    if (width(step.k) != width(step.v)) {
      throw_not_supported("the native engine needs k and v of attention in values of one width");
    }
    ops_.emplace_back(AttentionOp{.step = step, .kernel = attention_});
  }
  void take(const HeadsStep& step) {
    ++next_;
    ops_.emplace_back(HeadsOp{step});
  }
  void take(const NormStep& step) {
    ++next_;
    ops_.emplace_back(NormOp{step.in, step.out, values_of(step)});
  }
  void take(const AddStep& step) {
    ++next_;
    ops_.emplace_back(step);
  }
  void take(const GateStep& step) {
    ++next_;
    ops_.emplace_back(step);
  }

  const Program& program_;
  const Compute compute_;
  const kernels::KernelTable& table_;
  PackCache* cache_;
  decltype(AttentionOp::kernel) const attention_;
  std::vector<int> uses_;
  size_t next_ = 0;
  std::vector<Op> ops_;
};

}  // namespace

Compiled compile(const Program& program, Compute compute, const kernels::KernelTable& table,
                 PackCache* cache) {
  if (program.hidden < 0) throw_not_supported("the graph has no token embeddings as an output");
  Compiled out;
  try {
    out.ops = Compiler(program, compute, table, cache).run();
  } catch (const StalePack&) {
    cache->start_over();
    out.ops = Compiler(program, compute, table, cache).run();
  }
  if (cache != nullptr) cache->commit();
  for (Op& op : std::views::reverse(out.ops)) {
    if (std::holds_alternative<HeadsOp>(op)) break;  // it takes a token's position from its row
    if (auto* attention = std::get_if<AttentionOp>(&op)) {
      attention->last = true;
      break;
    }
  }
  for (Op& op : out.ops) {
    auto* heads = std::get_if<HeadsOp>(&op);
    if (heads == nullptr) continue;
    const auto found = std::ranges::find(out.rotaries, heads->step.rotary);
    heads->rotary = static_cast<size_t>(found - out.rotaries.begin());
    if (found == out.rotaries.end()) out.rotaries.push_back(heads->step.rotary);
  }
  out.widths = program.widths;
  out.hidden = program.hidden;
  out.hidden_size = static_cast<int>(program.widths[static_cast<size_t>(program.hidden)]);
  out.max_positions = program.max_positions;
  out.vocabulary = program.vocabulary;
  assign_slots(out);
  return out;
}

}  // namespace embedforge
