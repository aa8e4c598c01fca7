// A linear layer with random values, ready to run in one kernel.
#pragma once

#include <vector>

#include "engine/aligned.h"
#include "kernels/table_fixture.h"

namespace embedforge::kernels {

class LinearCase {
 public:
  LinearCase(const KernelTable& table, const LinearKernel& kernel, int rows, int k, int n,
             Act act = Act::kNone)
      : kernel_(kernel),
        x_(random_floats(static_cast<size_t>(rows) * k, 1)),
        bias_(random_floats(static_cast<size_t>(n), 3)),
        weight_(kernel.weight_bytes(k, n)),
        out_(static_cast<size_t>(rows) * n) {
    pack(&kernel == &table.i8, k, n);
    args_ = {.weight = weight_.data(),
             .rows = rows,
             .k = k,
             .column_end = n,
             .bias = bias_.data(),
             .act = act,
             .out = out_.data(),
             .out_stride = static_cast<size_t>(n)};
    if (kernel.prepare != nullptr) {
      a_.reserve(static_cast<size_t>((rows + kernel.row_block - 1) / kernel.row_block) *
                 kernel.block_bytes(k));
      kernel.prepare({x_.data(), static_cast<size_t>(k), rows, k}, a_.data());
      args_.a = a_.data();
      args_.a_stride = kernel.block_bytes(k);
    } else {
      args_.a = reinterpret_cast<const std::byte*>(x_.data());
      args_.a_stride = static_cast<size_t>(k) * sizeof(float);
    }
  }

  void run() const { kernel_.run(args_); }
  double multiply_adds() const {
    return static_cast<double>(args_.rows) * args_.k * args_.column_end;
  }

 private:
  void pack(bool bytes, int k, int n) {
    const auto w = random_floats(static_cast<size_t>(k) * n, 2);
    std::vector<int8_t> q(w.size());
    for (size_t i = 0; i < q.size(); ++i)
      q[i] = static_cast<int8_t>(static_cast<int>(w[i] * 20) % 64);
    const std::vector<float> scales(static_cast<size_t>(n), 0.01F);
    WeightView view{.k = k, .n = n, .stride_k = n, .stride_n = 1};
    if (bytes) {
      view.q = q.data();
      view.scales = scales.data();
    } else {
      view.values = w.data();
    }
    kernel_.pack(view, weight_.data());
  }

  const LinearKernel& kernel_;
  std::vector<float> x_, bias_;
  AlignedBuffer weight_, a_;
  std::vector<float> out_;
  LinearArgs args_;
};

}  // namespace embedforge::kernels
