#include "engine/execute.h"

#include <algorithm>
#include <tuple>

#include "base/cpu.h"
#include "engine/embed_tokens.h"
#include "engine/operand.h"

namespace embedforge {
namespace {

constexpr int kRowChunk = 64;  // rows between which a layer's outputs stay in the nearest cache

class Executor {
 public:
  Executor(const Compiled& program, const kernels::KernelTable& table, const TokenBatch& batch,
           const Tile& tile, const Team& team, SharedSpace& shared, PrivateSpace& own)
      : program_(program),
        table_(table),
        batch_(batch),
        tile_(tile),
        team_(team),
        shared_(shared),
        own_(own) {}

  void run() {
    for (const Op& op : program_.ops) {
      std::visit([this](const auto& o) { step(o); }, op);
      team_.sync();
      const auto* attention = std::get_if<AttentionOp>(&op);
      if (attention != nullptr && attention->last) drop_rows();
    }
    drop_rows();
  }

 private:
  /// The wanted rows of every value move to the front; the tile is of them from now on.
  void drop_rows() {
    if (tile_.wanted == Rows::kAll) return;
    const Tile wanted = wanted_rows(tile_);
    if (team_.index == 0) {
      for (size_t slot = 0; slot < shared_.slots.size(); ++slot) {
        float* const rows = shared_.slots[slot].floats();
        const auto w = static_cast<size_t>(program_.slot_width[slot]);
        for (size_t s = 0; s < wanted.sequences.size(); ++s) {
          const TileSequence& all = tile_.sequences[s];
          const auto from =
              static_cast<size_t>(all.row + wanted_range(tile_.wanted, all.length).first);
          if (from != s) std::copy_n(rows + from * w, w, rows + s * w);
        }
      }
    }
    team_.sync();
    tile_ = wanted;
  }

  float* value(ValueId v) const {
    return shared_.slots[static_cast<size_t>(program_.slot_of_value[static_cast<size_t>(v)])]
        .floats();
  }
  size_t width(ValueId v) const {
    return static_cast<size_t>(program_.widths[static_cast<size_t>(v)]);
  }

  static const float* from(const std::vector<float>& values, size_t at) {
    return values.empty() ? nullptr : values.data() + at;
  }

  /// Whether each member takes a layer's rows for itself, with all columns.
  bool by_rows() const { return team_.count == 1 || tile_.rows >= kMemberRows * team_.count; }
  /// This member's rows of a layer: its part, or all where the columns are shared.
  std::pair<int, int> layer_rows() const {
    return by_rows() ? team_.part(tile_.rows) : std::pair(0, tile_.rows);
  }

  void normalize(const NormValues& norm, const float* x, float* out, size_t stride,
                 int rows) const {
    table_.norm({.x = x,
                 .x_stride = stride,
                 .gamma = norm.gamma.data(),
                 .beta = norm.beta.empty() ? nullptr : norm.beta.data(),
                 .epsilon = norm.epsilon,
                 .rms = norm.kind == NormKind::kRmsNorm,
                 .rows = rows,
                 .width = static_cast<int>(stride),
                 .out = out,
                 .out_stride = stride});
  }

  /// This member's rows of a value that all have finished, normalized in place.
  void normalize_part(const NormValues& norm, float* x, size_t stride) const {
    const auto [begin, end] = team_.part(tile_.rows);
    float* from = x + static_cast<size_t>(begin) * stride;
    normalize(norm, from, from, stride, end - begin);
  }

  void step(const EmbedOp& op) {
    const auto [begin, end] = team_.part(static_cast<int>(tile_.sequences.size()));
    const size_t w = width(op.out);
    for (int s = begin; s < end; ++s) {
      const TileSequence& sequence = tile_.sequences[static_cast<size_t>(s)];
      float* out = value(op.out) + static_cast<size_t>(sequence.row) * w;
      embed_tokens(op.step, table_, batch_, sequence, out);
      if (op.norm) normalize(*op.norm, out, out, w, sequence.length);
    }
  }

  void step(const LinearOp& op) {
    const kernels::LinearKernel& kernel = *op.weight.kernel;
    const int n = op.weight.n;
    const size_t w = width(op.out);
    float* out = value(op.out);
    const auto [row_begin, row_end] = layer_rows();
    const size_t in_width = width(op.in);
    const float* in = value(op.in) + static_cast<size_t>(row_begin) * in_width;
    const Operand a =
        prepare(kernel, {in, in_width, row_end - row_begin, op.weight.k, from(op.channel_scale, 0)},
                own_.prepared);
    const float* picked = pick(op.floats, in, in_width, row_end - row_begin, own_.picked);
    const int blocks = (n + kernel.column_block - 1) / kernel.column_block;
    const auto [first, last] = by_rows() ? std::pair(0, blocks) : team_.part(blocks);
    const int step = columns_at_a_time(op.weight);
    const int end = std::min(n, last * kernel.column_block);
    const bool norm_now = op.norm && by_rows() && step >= n;
    for (int column = first * kernel.column_block; column < end; column += step) {
      for (int row = row_begin; row < row_end; row += kRowChunk) {
        const int rows = std::min(kRowChunk, row_end - row);
        const size_t at = static_cast<size_t>(row) * w;
        multiply(kernel, op.floats, picked, row - row_begin,
                 {.a = a.row(row - row_begin),
                  .a_stride = a.stride,
                  .weight = op.weight.bytes,
                  .rows = rows,
                  .k = op.weight.k,
                  .column_begin = column,
                  .column_end = std::min(end, column + step),
                  .bias = op.bias.empty() ? nullptr : op.bias.data(),
                  .add = op.add < 0 ? nullptr : value(op.add) + at,
                  .add_stride = w,
                  .act = op.act,
                  .out = out + at,
                  .out_stride = w});
        if (norm_now) normalize(*op.norm, out + at, out + at, w, rows);
      }
    }
    if (op.norm && !norm_now) {
      if (!by_rows()) team_.sync();
      normalize_part(*op.norm, out, w);
    }
  }

  /// Columns whose weights take a quarter of the L2 cache.
  static int columns_at_a_time(const PackedLinear& weight) {
    const int block = weight.kernel->column_block;
    const size_t bytes = weight.kernel->weight_bytes(weight.k, block);
    const size_t blocks = std::max<size_t>(1, cpu_features().l2_bytes / 4 / bytes);
    return static_cast<int>(std::min<size_t>(blocks, 1U << 16U)) * block;
  }

  void step(const FeedForwardOp& op) {
    const auto [begin, end] = layer_rows();
    const size_t in_width = width(op.in);
    const float* in = value(op.in) + static_cast<size_t>(begin) * in_width;
    const Operand a = prepare(
        *op.up.kernel, {in, in_width, end - begin, op.up.k, from(op.up_scale, 0)}, own_.prepared);
    const float* picked = pick(op.up_floats, in, in_width, end - begin, own_.picked);
    if (by_rows()) {
      feed_forward_by_rows(op, a, picked, begin, end);
    } else {
      feed_forward_together(op, a, picked);
    }
  }

  int chunk_width(const FeedForwardOp& op, size_t chunk) const { return op.down[chunk].k; }
  /// The rows of one chunk, x [rows, chunk], as its `down` takes them.
  kernels::InputRows inner_rows(const FeedForwardOp& op, size_t chunk, const float* x,
                                int rows) const {
    const int inner = chunk_width(op, chunk);
    return {x, static_cast<size_t>(inner), rows, inner,
            from(op.down_scale, chunk * static_cast<size_t>(op.chunk))};
  }

  /// inner [rows, chunk] = act(x * up + bias) for the columns of one chunk.
  void run_up(const FeedForwardOp& op, const Operand& a, const float* picked, size_t chunk, int row,
              int rows, float* inner) const {
    const int begin = static_cast<int>(chunk) * op.chunk;
    multiply(*op.up.kernel, op.up_floats, picked, row,
             {.a = a.row(row),
              .a_stride = a.stride,
              .weight = op.up.bytes,
              .rows = rows,
              .k = op.up.k,
              .column_begin = begin,
              .column_end = begin + chunk_width(op, chunk),
              .bias = op.up_bias.empty() ? nullptr : op.up_bias.data(),
              .act = op.act,
              .out = inner - begin,
              .out_stride = static_cast<size_t>(chunk_width(op, chunk))});
  }

  /// out += inner * down for one chunk; the first chunk starts from the bias and the residual.
  void run_down(const FeedForwardOp& op, const Operand& inner, const float* picked, size_t chunk,
                int row, int rows, int column_begin, int column_end) const {
    const size_t w = width(op.out);
    const size_t at = static_cast<size_t>(row) * w;
    float* out = value(op.out) + at;
    const PackedLinear& down = op.down[chunk];
    const float* residual = op.add < 0 ? nullptr : value(op.add) + at;
    multiply(*down.kernel, op.down_floats[chunk], picked, 0,
             {.a = inner.data,
              .a_stride = inner.stride,
              .weight = down.bytes,
              .rows = rows,
              .k = down.k,
              .column_begin = column_begin,
              .column_end = column_end,
              .bias = chunk == 0 && !op.down_bias.empty() ? op.down_bias.data() : nullptr,
              .add = chunk == 0 ? residual : out,
              .add_stride = w,
              .out = out,
              .out_stride = w});
  }

  /// `a` and `picked` are of rows [begin, end).
  void feed_forward_by_rows(const FeedForwardOp& op, const Operand& a, const float* picked,
                            int begin, int end) {
    const size_t w = width(op.out);
    own_.inner.reserve(static_cast<size_t>(kRowChunk) * static_cast<size_t>(op.chunk) *
                       sizeof(float));
    for (size_t chunk = 0; chunk < op.down.size(); ++chunk) {
      const bool last = chunk + 1 == op.down.size();
      for (int row = begin; row < end; row += kRowChunk) {
        const int rows = std::min(kRowChunk, end - row);
        const int inner = chunk_width(op, chunk);
        run_up(op, a, picked, chunk, row - begin, rows, own_.inner.floats());
        const Operand rounded = prepare(
            *op.down[chunk].kernel, inner_rows(op, chunk, own_.inner.floats(), rows), own_.rounded);
        const float* inner_picked = pick(op.down_floats[chunk], own_.inner.floats(),
                                         static_cast<size_t>(inner), rows, own_.inner_picked);
        run_down(op, rounded, inner_picked, chunk, row, rows, 0, op.down[chunk].n);
        if (last && op.norm) {
          float* out = value(op.out) + static_cast<size_t>(row) * w;
          normalize(*op.norm, out, out, w, rows);
        }
      }
    }
  }

  /// The same sums, chunk by chunk, with the chunks of `up` and then the columns of `down` split
  /// over the team.
  void feed_forward_together(const FeedForwardOp& op, const Operand& a, const float* picked) {
    const int chunks = static_cast<int>(op.down.size());
    const size_t floats = static_cast<size_t>(tile_.rows) * static_cast<size_t>(op.chunk);
    const auto [first, last] = team_.part(chunks);
    for (int c = first; c < last; ++c) {
      run_up(op, a, picked, static_cast<size_t>(c), 0, tile_.rows,
             shared_.inner.floats() + static_cast<size_t>(c) * floats);
    }
    team_.sync();
    const kernels::LinearKernel& kernel = *op.down[0].kernel;
    const int n = op.down[0].n;
    const auto [begin, end] = team_.part((n + kernel.column_block - 1) / kernel.column_block);
    for (int c = 0; c < chunks; ++c) {
      const int inner = chunk_width(op, static_cast<size_t>(c));
      const float* x = shared_.inner.floats() + static_cast<size_t>(c) * floats;
      const Operand rounded =
          prepare(kernel, inner_rows(op, static_cast<size_t>(c), x, tile_.rows), own_.rounded);
      const float* inner_picked = pick(op.down_floats[static_cast<size_t>(c)], x,
                                       static_cast<size_t>(inner), tile_.rows, own_.inner_picked);
      run_down(op, rounded, inner_picked, static_cast<size_t>(c), 0, tile_.rows,
               begin * kernel.column_block, std::min(n, end * kernel.column_block));
    }
    if (op.norm) {
      team_.sync();
      normalize_part(*op.norm, value(op.out), width(op.out));
    }
  }

  ValueRows rows_of(ValueId v, const TileSequence& sequence) const {
    return {value(v) + static_cast<size_t>(sequence.row) * width(v), width(v)};
  }

  void step(const HeadsOp& op) {
    const HeadsStep& s = op.step;
    own_.angles.resize(program_.rotaries.size());
    Angles& angles = own_.angles[op.rotary];
    const auto [begin, end] = team_.part(tile_.rows);
    const size_t w = width(s.out);
    float* out = value(s.out);
    if (value(s.in) != out) {
      const size_t first = static_cast<size_t>(begin) * w;
      std::copy_n(value(s.in) + first, static_cast<size_t>(end - begin) * w, out + first);
    }
    for (const TileSequence& sequence : tile_.sequences) {
      const int from = std::max(begin, sequence.row);
      const int to = std::min(end, sequence.row + sequence.length);
      if (from >= to) continue;
      angles.reserve(s.rotary, to - sequence.row);
      change_heads(s, table_, angles, out + static_cast<size_t>(from) * w, w, to - from,
                   from - sequence.row);
    }
  }

  void step(const AttentionOp& op) {
    const AttentionStep& s = op.step;
    const auto heads = static_cast<int>(s.heads);
    const auto [begin, end] = team_.part(static_cast<int>(tile_.sequences.size()) * heads);
    for (int unit = begin; unit < end; ++unit) {
      const TileSequence& sequence = tile_.sequences[static_cast<size_t>(unit / heads)];
      own_.attention.reserve(
          table_.attention_workspace(sequence.length, static_cast<int>(s.head_size)));
      kernels::AttentionArgs args =
          attention_args(s, unit % heads, sequence.length, rows_of(s.q, sequence),
                         rows_of(s.k, sequence), rows_of(s.v, sequence), rows_of(s.out, sequence));
      if (op.last) std::tie(args.begin, args.end) = wanted_range(tile_.wanted, sequence.length);
      args.workspace = own_.attention.data();
      op.kernel(args);
    }
  }

  void step(const NormOp& op) {
    const auto [begin, end] = team_.part(tile_.rows);
    const size_t w = width(op.out);
    const size_t at = static_cast<size_t>(begin) * w;
    normalize(op.norm, value(op.in) + at, value(op.out) + at, w, end - begin);
  }

  void step(const AddStep& op) {
    const auto [begin, end] = team_.part(tile_.rows);
    const size_t w = width(op.out);
    const size_t at = static_cast<size_t>(begin) * w;
    table_.add(value(op.a) + at, value(op.b) + at, value(op.out) + at,
               static_cast<size_t>(end - begin) * w);
  }

  void step(const GateStep& op) {
    const auto [begin, end] = team_.part(tile_.rows);
    for (auto row = static_cast<size_t>(begin); row < static_cast<size_t>(end); ++row) {
      table_.gate(value(op.gate) + row * width(op.gate) + op.gate_column,
                  value(op.up) + row * width(op.up) + op.up_column, op.activation,
                  value(op.out) + row * width(op.out), static_cast<size_t>(op.width));
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

void reserve(const Compiled& program, const Tile& tile, int members, SharedSpace& shared) {
  shared.slots.resize(program.slot_width.size());
  const auto rows = static_cast<size_t>(tile.rows);
  for (size_t s = 0; s < program.slot_width.size(); ++s) {
    shared.slots[s].reserve(rows * static_cast<size_t>(program.slot_width[s]) * sizeof(float));
  }
  if (members == 1) return;
  const auto inner_rows = static_cast<size_t>(std::min(tile.rows, kMemberRows * members));
  for (const Op& op : program.ops) {
    if (const auto* ff = std::get_if<FeedForwardOp>(&op)) {
      shared.inner.reserve(inner_rows * static_cast<size_t>(ff->chunk) * ff->down.size() *
                           sizeof(float));
    }
  }
}

void execute(const Compiled& program, const kernels::KernelTable& table, const TokenBatch& batch,
             const Tile& tile, const Team& team, SharedSpace& shared, PrivateSpace& own) {
  Executor(program, table, batch, tile, team, shared, own).run();
}

}  // namespace embedforge
