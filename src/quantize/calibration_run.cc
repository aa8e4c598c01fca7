#include "quantize/calibration_run.h"

#include <algorithm>

#include "embedforge/error.h"
#include "engine/compile.h"
#include "engine/embed_tokens.h"
#include "engine/heads.h"
#include "engine/slots.h"
#include "graph/tensor.h"
#include "kernels/select.h"

namespace embedforge::quantization {
namespace {

std::vector<float> weight_floats(const Weight& w) {
  std::vector<float> out = to_floats(with_values(w).data);
  if (!w.transposed) return out;
  std::vector<float> turned(out.size());
  for (int64_t k = 0; k < w.k; ++k) {
    for (int64_t n = 0; n < w.n; ++n)
      turned[static_cast<size_t>(k * w.n + n)] = out[static_cast<size_t>(n * w.k + k)];
  }
  return turned;
}

/// Packed columns times rows [begin, end) of x, on the caller's thread.
void run_rows(const kernels::LinearKernel& kernel, const std::byte* packed, const Rows& x,
              int64_t begin, int64_t end, std::span<const float> bias, kernels::Act act,
              bool accumulate, Rows& out) {
  kernels::LinearArgs args{.a = reinterpret_cast<const std::byte*>(x.row(begin)),
                           .a_stride = static_cast<size_t>(x.width) * sizeof(float),
                           .weight = packed,
                           .rows = static_cast<int>(end - begin),
                           .k = static_cast<int>(x.width),
                           .column_begin = 0,
                           .column_end = static_cast<int>(out.width),
                           .bias = bias.empty() ? nullptr : bias.data(),
                           .act = act,
                           .out = out.row(begin),
                           .out_stride = static_cast<size_t>(out.width)};
  AlignedBuffer prepared;
  if (kernel.prepare != nullptr) {
    const auto blocks = static_cast<size_t>((args.rows + kernel.row_block - 1) / kernel.row_block);
    prepared.reserve(blocks * kernel.block_bytes(args.k));
    kernel.prepare({x.row(begin), static_cast<size_t>(x.width), args.rows, args.k},
                   prepared.data());
    args.a = prepared.data();
    args.a_stride = kernel.block_bytes(args.k);
  }
  if (accumulate) {
    args.add = args.out;
    args.add_stride = args.out_stride;
  }
  kernel.run(args);
}

/// work(member) on each thread, with the table's registers ready.
void run_with(const kernels::KernelTable& table, ThreadPool& threads,
              const std::function<void(int)>& work) {
  threads.run([&](int member) {
    if (table.enter != nullptr) table.enter();
    work(member);
    if (table.leave != nullptr) table.leave();
  });
}

std::pair<int64_t, int64_t> part(int64_t count, int member, const ThreadPool& threads) {
  return {count * member / threads.size(), count * (member + 1) / threads.size()};
}

/// out (+)= x * w on all threads.
void multiply_into(const Rows& x, std::span<const float> w, int64_t n, std::span<const float> bias,
                   kernels::Act act, bool accumulate, ThreadPool& threads, Rows& out) {
  const kernels::LinearKernel& kernel = kernels::best_table().f32;
  const int k = static_cast<int>(x.width);
  AlignedBuffer packed(kernel.weight_bytes(k, static_cast<int>(n)));
  kernel.pack({.k = k, .n = static_cast<int>(n), .values = w.data(), .stride_k = n, .stride_n = 1},
              packed.data());
  run_with(kernels::best_table(), threads, [&](int member) {
    const auto [begin, end] = part(x.rows, member, threads);
    constexpr int64_t kRows = 64;
    for (int64_t row = begin; row < end; row += kRows) {
      run_rows(kernel, packed.data(), x, row, std::min(end, row + kRows), bias, act, accumulate,
               out);
    }
  });
}

}  // namespace

void multiply(const Rows& x, std::span<const float> w, int64_t n, std::span<const float> bias,
              kernels::Act act, ThreadPool& threads, Rows& out) {
  multiply_into(x, w, n, bias, act, false, threads, out);
}

std::vector<float> moments(const Rows& x, ThreadPool& threads) {
  constexpr int64_t kRows = 1024;  // a sum of floats at a time
  const int64_t width = x.width;
  Rows out(width, width);
  std::fill_n(out.row(0), width * width, 0.0F);
  for (int64_t begin = 0; begin < x.rows; begin += kRows) {
    const int64_t count = std::min(kRows, x.rows - begin);
    Rows turned(width, count);
    for (int64_t r = 0; r < count; ++r) {
      for (int64_t c = 0; c < width; ++c) turned.row(c)[r] = x.row(begin + r)[c];
    }
    const std::span<const float> rows(x.row(begin), static_cast<size_t>(count * width));
    multiply_into(turned, rows, width, {}, kernels::Act::kNone, true, threads, out);
  }
  return {out.row(0), out.row(0) + width * width};
}

CalibrationRun::CalibrationRun(const Program& program, const TokenBatch& batch, ThreadPool& threads)
    : program_(program),
      batch_(batch),
      threads_(threads),
      table_(kernels::best_table()),
      tokens_(static_cast<int64_t>(batch.ids.size())),
      values_(program.widths.size()) {}

Rows& CalibrationRun::define(ValueId id) {
  return value(id) = Rows(tokens_, program_.widths[static_cast<size_t>(id)]);
}

template <typename Function>
void CalibrationRun::by_rows(Function f) {
  run_with(table_, threads_, [&](int member) {
    const auto [begin, end] = part(tokens_, member, threads_);
    f(begin, end);
  });
}

void CalibrationRun::run(const std::function<void(LinearStep&, Rows&)>& at_linear) {
  at_linear_ = &at_linear;
  std::vector<size_t> last(values_.size(), 0);
  for (size_t i = 0; i < program_.steps.size(); ++i) {
    for_each_input(program_.steps[i], [&](ValueId v) { last[static_cast<size_t>(v)] = i; });
  }
  for (size_t i = 0; i < program_.steps.size(); ++i) {
    std::visit([this](const auto& s) { this->step(s); }, program_.steps[i]);
    for_each_input(program_.steps[i], [&](ValueId v) {
      if (last[static_cast<size_t>(v)] == i) value(v) = Rows();
    });
  }
}

void CalibrationRun::step(const EmbedStep& s) {
  Rows& out = define(s.out);
  for (size_t i = 0; i < batch_.sequences(); ++i) {
    const auto length = static_cast<int>(batch_.offsets[i + 1] - batch_.offsets[i]);
    embed_tokens(s, table_, batch_, {i, batch_.offsets[i], 0, length},
                 out.row(static_cast<int64_t>(batch_.offsets[i])));
  }
}

void CalibrationRun::step(const NormStep& s) {
  const Rows& in = value(s.in);
  Rows& out = define(s.out);
  const auto width = static_cast<size_t>(in.width);
  by_rows([&](int64_t begin, int64_t end) {
    table_.norm({.x = in.row(begin),
                 .x_stride = width,
                 .gamma = s.gamma.data(),
                 .beta = s.beta.empty() ? nullptr : s.beta.data(),
                 .epsilon = s.epsilon,
                 .rms = s.kind == NormKind::kRmsNorm,
                 .rows = static_cast<int>(end - begin),
                 .width = static_cast<int>(width),
                 .out = out.row(begin),
                 .out_stride = width});
  });
}

void CalibrationRun::step(const LinearStep& s) {
  LinearStep changed = s;
  Rows x(tokens_, value(s.in).width);
  std::copy_n(value(s.in).row(0), tokens_ * x.width, x.row(0));
  (*at_linear_)(changed, x);
  multiply(x, weight_floats(changed.weight), changed.weight.n, changed.bias, changed.activation,
           threads_, define(s.out));
}

void CalibrationRun::step(const AddStep& s) {
  Rows& out = define(s.out);
  table_.add(value(s.a).row(0), value(s.b).row(0), out.row(0),
             static_cast<size_t>(tokens_ * out.width));
}

void CalibrationRun::step(const GateStep& s) {
  Rows& out = define(s.out);
  for (int64_t r = 0; r < tokens_; ++r) {
    table_.gate(value(s.gate).row(r) + s.gate_column, value(s.up).row(r) + s.up_column,
                s.activation, out.row(r), static_cast<size_t>(s.width));
  }
}

void CalibrationRun::step(const HeadsStep& s) {
  const Rows& in = value(s.in);
  Rows& out = define(s.out);
  std::copy_n(value(s.in).row(0), tokens_ * in.width, out.row(0));
  Angles angles;
  for (size_t i = 0; i < batch_.sequences(); ++i) {
    const auto first = static_cast<int64_t>(batch_.offsets[i]);
    const auto length = static_cast<int>(batch_.offsets[i + 1] - batch_.offsets[i]);
    angles.reserve(s.rotary, length);
    change_heads(s, table_, angles, out.row(first), static_cast<size_t>(out.width), length, 0);
  }
}

void CalibrationRun::step(const AttentionStep& s) {
  define(s.out);
  const auto rows = [&](ValueId id, int64_t first) {
    return ValueRows{value(id).row(first), static_cast<size_t>(value(id).width)};
  };
  run_with(table_, threads_, [&](int member) {
    AlignedBuffer space;
    for (auto i = static_cast<size_t>(member); i < batch_.sequences();
         i += static_cast<size_t>(threads_.size())) {
      const auto first = static_cast<int64_t>(batch_.offsets[i]);
      const auto length = static_cast<int>(batch_.offsets[i + 1] - batch_.offsets[i]);
      space.reserve(table_.attention_workspace(length, static_cast<int>(s.head_size)));
      for (int64_t head = 0; head < s.heads; ++head) {
        kernels::AttentionArgs args =
            attention_args(s, head, length, rows(s.q, first), rows(s.k, first), rows(s.v, first),
                           rows(s.out, first));
        args.workspace = space.data();
        table_.attention(args);
      }
    }
  });
}

}  // namespace embedforge::quantization
