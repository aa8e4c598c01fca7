#include "engine/execute.h"

#include <algorithm>
#include <string>

#include "base/cpu.h"
#include "embedforge/error.h"
#include "engine/embed_tokens.h"

namespace embedforge {
namespace {

constexpr size_t kRowChunk = 64;  // rows between which a layer's outputs stay in the nearest cache

const float* data_or_null(const std::vector<float>& values) {
  return values.empty() ? nullptr : values.data();
}

/// Columns whose weights take a quarter of the L2 cache.
size_t columns_at_a_time(const PackedLinear& weight) {
  const int block = weight.kernel->column_block;
  const size_t bytes = weight.kernel->weight_bytes(as_int(weight.k), block);
  const size_t blocks = std::max<size_t>(1, cpu_features().l2_bytes / 4 / bytes);
  return std::min<size_t>(blocks, 1U << 16U) * static_cast<size_t>(block);
}

void check_types(const EmbedStep& step, std::span<const int32_t> types) {
  for (const EmbedStep::Table& table : step.tables) {
    const int64_t rows = table.rows.dims[0];
    if (table.source != EmbedStep::Source::kTokenType || rows == 1) continue;
    for (const int32_t type : types) {
      if (type >= 0 && type < rows) continue;
      throw_bad_input("token type " + std::to_string(type) + " is outside the model's " +
                      std::to_string(rows) + "; the tokenizer belongs to another model");
    }
  }
}

class Executor {
 public:
  Executor(const Run& run, const Team& team, PrivateSpace& own)
      : program_(run.program),
        table_(run.table),
        batch_(run.batch),
        tile_(run.tile),
        team_(team),
        shared_(run.shared),
        own_(own) {}

  void run(std::span<const Op> ops) {
    for (const Op& op : ops) {
      std::visit([&](const auto& as) { this->run(as, op); }, op.as);
      team_.sync();
      const auto* attention = std::get_if<AttentionOp>(&op.as);
      if (attention != nullptr && attention->last) drop_rows();
    }
    drop_rows();
  }

  void run(const LinearOp& op, const Rows& all, ValueId to) {
    const Rows out = value(to);
    const auto [row_begin, row_end] = layer_rows();
    const LayerInput in = prepare(op.weight, all.part(row_begin, row_end), own_.input);
    const size_t n = op.weight.n;
    const auto [begin, end] = layer_columns(op.weight);
    const size_t step = columns_at_a_time(op.weight);
    const bool norm_now = op.tail.norm && by_rows() && step >= n;
    for (size_t column = begin; column < end; column += step) {
      for (size_t row = row_begin; row < row_end; row += kRowChunk) {
        const size_t rows = std::min(kRowChunk, row_end - row);
        kernels::LinearArgs args = outputs(out, row, column, std::min(end, column + step));
        args.bias = data_or_null(op.tail.bias);
        args.add = residual(op.tail, row);
        args.act = op.tail.act;
        multiply(op.weight, in, row - row_begin, rows, args);
        if (norm_now) normalize(*op.tail.norm, out.part(row, row + rows));
      }
    }
    if (op.tail.norm && !norm_now) normalize_together(*op.tail.norm, out, !by_rows());
  }

 private:
  /// The wanted rows of every value move to the front; the tile is of them from now on.
  void drop_rows() {
    if (tile_.wanted == Wanted::kAll) return;
    const Tile wanted = wanted_rows(tile_);
    if (team_.index == 0) {
      for (size_t slot = 0; slot < shared_.slots.size(); ++slot) {
        const Rows rows{shared_.slots[slot].floats(), tile_.rows, program_.slot_width[slot]};
        for (size_t s = 0; s < wanted.sequences.size(); ++s) {
          const TileSequence& all = tile_.sequences[s];
          const size_t from = all.row + wanted_range(tile_.wanted, all.length).first;
          if (from != s) std::copy_n(rows.row(from), rows.width, rows.row(s));
        }
      }
    }
    team_.sync();
    tile_ = wanted;
  }

  Rows value(ValueId v) const { return shared_.value(program_, v, tile_.rows); }
  Rows value(ValueId v, const TileSequence& sequence) const {
    return value(v).part(sequence.row, sequence.row + sequence.length);
  }
  /// This member's rows of a value.
  Rows part(ValueId v) const {
    const auto [begin, end] = team_.part(tile_.rows);
    return value(v).part(begin, end);
  }

  /// Whether each member takes a layer's rows for itself, with all columns.
  bool by_rows() const { return team_.count == 1 || tile_.rows >= kMemberRows * team_.count; }
  /// This member's rows of a layer: its part, or all where the columns are shared.
  std::pair<size_t, size_t> layer_rows() const {
    return by_rows() ? team_.part(tile_.rows) : std::pair(size_t{0}, tile_.rows);
  }
  std::pair<size_t, size_t> layer_columns(const PackedLinear& weight) const {
    if (by_rows()) return {0, weight.n};
    const auto block = static_cast<size_t>(weight.kernel->column_block);
    const auto [first, last] = team_.part(weight.column_blocks());
    return {first * block, std::min(weight.n, last * block)};
  }

  /// Rows from `row` on and these columns of them.
  static kernels::LinearArgs outputs(const Rows& out, size_t row, size_t begin, size_t end) {
    kernels::LinearArgs args;
    args.column_begin = as_int(begin);
    args.column_end = as_int(end);
    args.add_stride = out.width;
    args.out = out.row(row);
    args.out_stride = out.width;
    return args;
  }
  const float* residual(const Tail& tail, size_t row) const {
    return tail.add ? value(*tail.add).row(row) : nullptr;
  }

  void normalize(const NormStep& norm, const Rows& x, float* out) const {
    table_.norm({.x = x.data,
                 .x_stride = x.width,
                 .gamma = norm.gamma.data(),
                 .beta = data_or_null(norm.beta),
                 .epsilon = norm.epsilon,
                 .rms = norm.kind == NormKind::kRmsNorm,
                 .rows = as_int(x.count),
                 .width = as_int(x.width),
                 .out = out,
                 .out_stride = x.width});
  }
  void normalize(const NormStep& norm, const Rows& x) const { normalize(norm, x, x.data); }
  /// This member's rows in place, once all have finished them.
  void normalize_together(const NormStep& norm, const Rows& x, bool wait) const {
    if (wait) team_.sync();
    const auto [begin, end] = team_.part(tile_.rows);
    normalize(norm, x.part(begin, end));
  }

  void run(const EmbedOp& op, const Op& about) {
    const auto [begin, end] = team_.part(tile_.sequences.size());
    for (size_t s = begin; s < end; ++s) {
      const Rows out = value(about.out, tile_.sequences[s]);
      embed_tokens(op.step, table_, batch_, tile_.sequences[s], out.data);
      if (op.norm) normalize(*op.norm, out);
    }
  }

  void run(const LinearOp& op, const Op& about) { run(op, value(about.in[0]), about.out); }

  void run(const FeedForwardOp& op, const Op& about) {
    const auto [begin, end] = layer_rows();
    const LayerInput in = prepare(op.up, value(about.in[0]).part(begin, end), own_.input);
    if (by_rows()) {
      feed_forward_by_rows(op, in, value(about.out), begin, end);
    } else {
      feed_forward_together(op, in, value(about.out));
    }
  }

  /// inner [rows, chunk] = act(x * up + bias) for the columns of one chunk.
  static void run_up(const FeedForwardOp& op, const LayerInput& in, size_t chunk, size_t row,
                     const Rows& inner) {
    const size_t begin = chunk * op.chunk;
    kernels::LinearArgs args = outputs(inner, 0, begin, begin + inner.width);
    args.bias = data_or_null(op.inner.bias);
    args.act = op.inner.act;
    args.out -= begin;
    multiply(op.up, in, row, inner.count, args);
  }

  /// out += inner * down for one chunk; the first chunk starts from the bias and the residual.
  void run_down(const FeedForwardOp& op, const Rows& inner, size_t chunk, const Rows& out,
                size_t row, std::pair<size_t, size_t> columns) {
    const LayerInput in = prepare(op.down[chunk], inner, own_.inner_input);
    kernels::LinearArgs args = outputs(out, row, columns.first, columns.second);
    if (chunk == 0) {
      args.bias = data_or_null(op.tail.bias);
      args.add = residual(op.tail, row);
    } else {
      args.add = args.out;
    }
    multiply(op.down[chunk], in, 0, inner.count, args);
  }

  /// `in` is of rows [begin, end).
  void feed_forward_by_rows(const FeedForwardOp& op, const LayerInput& in, const Rows& out,
                            size_t begin, size_t end) {
    own_.inner.reserve(kRowChunk * op.chunk * sizeof(float));
    for (size_t chunk = 0; chunk < op.down.size(); ++chunk) {
      const bool last = chunk + 1 == op.down.size();
      for (size_t row = begin; row < end; row += kRowChunk) {
        const size_t rows = std::min(kRowChunk, end - row);
        const Rows inner{own_.inner.floats(), rows, op.down[chunk].k};
        run_up(op, in, chunk, row - begin, inner);
        run_down(op, inner, chunk, out, row, {0, out.width});
        if (last && op.tail.norm) normalize(*op.tail.norm, out.part(row, row + rows));
      }
    }
  }

  /// The same sums, chunk by chunk, with the chunks of `up` and then the columns of `down` split
  /// over the team.
  void feed_forward_together(const FeedForwardOp& op, const LayerInput& in, const Rows& out) {
    const auto inner = [&](size_t chunk) {
      return Rows{shared_.inner.floats() + chunk * tile_.rows * op.chunk, tile_.rows,
                  op.down[chunk].k};
    };
    const auto [first, last] = team_.part(op.down.size());
    for (size_t chunk = first; chunk < last; ++chunk) run_up(op, in, chunk, 0, inner(chunk));
    team_.sync();
    for (size_t chunk = 0; chunk < op.down.size(); ++chunk)
      run_down(op, inner(chunk), chunk, out, 0, layer_columns(op.down[chunk]));
    if (op.tail.norm) normalize_together(*op.tail.norm, out, true);
  }

  void run(const HeadsOp& op, const Op& about) {
    own_.angles.resize(program_.rotaries.size());
    Angles& angles = own_.angles[op.rotary];
    const Rows in = part(about.in[0]);
    const Rows out = part(about.out);
    if (in.data != out.data) std::copy_n(in.data, in.size(), out.data);
    const auto [begin, end] = team_.part(tile_.rows);
    for (const TileSequence& sequence : tile_.sequences) {
      const size_t from = std::max(begin, sequence.row);
      const size_t to = std::min(end, sequence.row + sequence.length);
      if (from >= to) continue;
      angles.reserve(op.step.rotary, to - sequence.row);
      change_heads(op.step, table_, angles, value(about.out).part(from, to), from - sequence.row);
    }
  }

  void run(const AttentionOp& op, const Op& about) {
    const AttentionStep& s = op.step;
    const auto [begin, end] = team_.part(tile_.sequences.size() * s.heads);
    for (size_t unit = begin; unit < end; ++unit) {
      const TileSequence& sequence = tile_.sequences[unit / s.heads];
      own_.attention.reserve(
          table_.attention_workspace(as_int(sequence.length), as_int(s.head_size)));
      kernels::AttentionArgs args =
          attention_args(s, unit % s.heads, value(s.q, sequence), value(s.k, sequence),
                         value(s.v, sequence), value(about.out, sequence));
      if (op.last) {
        const auto [first, last] = wanted_range(tile_.wanted, sequence.length);
        args.begin = as_int(first);
        args.end = as_int(last);
      }
      args.workspace = own_.attention.data();
      op.kernel(args);
    }
  }

  void run(const NormStep& step, const Op&) { normalize(step, part(step.in), part(step.out).data); }

  void run(const AddStep& step, const Op&) {
    const Rows out = part(step.out);
    table_.add(part(step.a).data, part(step.b).data, out.data, out.size());
  }

  void run(const GateStep& step, const Op&) {
    const Rows gate = part(step.gate);
    const Rows up = part(step.up);
    const Rows out = part(step.out);
    for (size_t row = 0; row < out.count; ++row) {
      table_.gate(gate.row(row) + step.gate_column, up.row(row) + step.up_column, step.activation,
                  out.row(row), step.width);
    }
  }

  const Compiled& program_;
  const kernels::KernelTable& table_;
  const TokenBatch& batch_;
  Tile tile_;
  const Team& team_;
  SharedSpace& shared_;
  PrivateSpace& own_;
};

}  // namespace

void SharedSpace::reserve(const Compiled& program, const Tile& tile, size_t members) {
  slots.resize(program.slot_width.size());
  for (size_t s = 0; s < slots.size(); ++s)
    slots[s].reserve(tile.rows * program.slot_width[s] * sizeof(float));
  if (members == 1) return;
  const size_t inner_rows = std::min(tile.rows, kMemberRows * members);
  for (const Op& op : program.ops) {
    if (const auto* layers = std::get_if<FeedForwardOp>(&op.as))
      inner.reserve(inner_rows * layers->chunk * layers->down.size() * sizeof(float));
  }
}

Rows SharedSpace::value(const Compiled& program, ValueId v, size_t rows) const {
  return {slots[program.slot_of_value[v]].floats(), rows, program.widths[v]};
}

size_t SharedSpace::bytes() const {
  size_t total = inner.size();
  for (const AlignedBuffer& slot : slots) total += slot.size();
  return total;
}

size_t PrivateSpace::bytes() const {
  size_t total = input.bytes() + inner.size() + inner_input.bytes() + attention.size();
  for (const Angles& each : angles) total += each.bytes();
  return total;
}

void check_batch(const Compiled& program, const TokenBatch& batch) {
  if (batch.sequences() > 0 && batch.offsets.back() != batch.ids.size())
    throw Error(ErrorCode::kBug, "token offsets don't cover the ids");
  for (const int32_t id : batch.ids) {
    if (id >= 0 && (program.vocabulary == 0 || static_cast<size_t>(id) < program.vocabulary))
      continue;
    throw_bad_input("token id " + std::to_string(id) + " is outside the model's vocabulary of " +
                    std::to_string(program.vocabulary) +
                    "; the tokenizer belongs to another model");
  }
  for (const Op& op : program.ops) {
    if (const auto* embed = std::get_if<EmbedOp>(&op.as)) check_types(embed->step, batch.type_ids);
  }
  for (size_t i = 0; i < batch.sequences(); ++i) {
    if (program.max_positions == 0 || batch.length(i) <= program.max_positions) continue;
    throw_bad_input("text " + std::to_string(i) + " has " + std::to_string(batch.length(i)) +
                    " tokens but the model has only " + std::to_string(program.max_positions) +
                    " positions; lower max_length");
  }
}

void execute(const Run& run, std::span<const Op> ops, const Team& team, PrivateSpace& own) {
  Executor(run, team, own).run(ops);
}

void execute(const Run& run, const LinearOp& layer, const Rows& in, ValueId out, const Team& team,
             PrivateSpace& own) {
  Executor(run, team, own).run(layer, in, out);
}

}  // namespace embedforge
