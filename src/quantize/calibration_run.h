// Takes: a program and tokens. Gives: the input of each linear step, in order, so that a caller can
// decide about it before the run goes on with what the caller made of it. Never: keeps more values
// than the rest of the run reads.
#pragma once

#include <functional>
#include <vector>

#include "base/threads.h"
#include "base/token_batch.h"
#include "engine/aligned.h"
#include "kernels/table.h"
#include "plan/program.h"

namespace embedforge::quantization {

/// Row-major floats.
struct Rows {
  int64_t rows = 0, width = 0;
  AlignedBuffer data;

  Rows() = default;
  Rows(int64_t r, int64_t w)
      : rows(r), width(w), data(static_cast<size_t>(r * w) * sizeof(float) + 64) {}
  float* row(int64_t r) { return data.floats() + r * width; }
  const float* row(int64_t r) const { return data.floats() + r * width; }
};

class CalibrationRun {
 public:
  /// Everything is kept by reference.
  CalibrationRun(const Program& program, const TokenBatch& batch, ThreadPool& threads);

  /// `at_linear` may change the step (its weight, bias) and its input before they are multiplied.
  void run(const std::function<void(LinearStep&, Rows&)>& at_linear);

 private:
  void step(const EmbedStep& s);
  void step(const NormStep& s);
  void step(const LinearStep& s);
  void step(const AddStep& s);
  void step(const GateStep& s);
  void step(const HeadsStep& s);
  void step(const AttentionStep& s);
  Rows& define(ValueId id);
  Rows& value(ValueId id) { return values_[static_cast<size_t>(id)]; }
  template <typename Function>
  void by_rows(Function f);

  const Program& program_;
  const TokenBatch& batch_;
  ThreadPool& threads_;
  const kernels::KernelTable& table_;
  const std::function<void(LinearStep&, Rows&)>* at_linear_ = nullptr;
  int64_t tokens_;
  std::vector<Rows> values_;
};

/// x^T x, [width, width].
std::vector<float> moments(const Rows& x, ThreadPool& threads);

/// out [x.rows, n] = x * w + bias, act. `w`: [k, n]; `bias`: n values or empty.
void multiply(const Rows& x, std::span<const float> w, int64_t n, std::span<const float> bias,
              kernels::Act act, ThreadPool& threads, Rows& out);

}  // namespace embedforge::quantization
