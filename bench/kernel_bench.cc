// Speed of each linear kernel and of attention, one thread, as multiply-adds a second.
//
//   kernel_bench --benchmark_filter=amx/int8
#include <benchmark/benchmark.h>

#include "linear_case.h"

namespace embedforge::kernels {
namespace {

void run_linear(benchmark::State& state, const KernelTable& table, const LinearKernel& kernel,
                Act act) {
  const auto rows = static_cast<int>(state.range(0));
  const auto k = static_cast<int>(state.range(1));
  const auto n = static_cast<int>(state.range(2));
  if (table.enter != nullptr) table.enter();
  const LinearCase linear(table, kernel, rows, k, n, act);
  for (auto _ : state) {
    linear.run();
    benchmark::ClobberMemory();
  }
  const double work = static_cast<double>(state.iterations()) * linear.multiply_adds() / 1e9;
  state.counters["GMAC/s"] = benchmark::Counter(work, benchmark::Counter::kIsRate);
}

void run_prepare(benchmark::State& state, const KernelTable& table, const LinearKernel& kernel) {
  if (table.enter != nullptr) table.enter();
  const int rows = 64;
  const int k = 384;
  const auto x = random_floats(static_cast<size_t>(rows) * k, 1);
  AlignedBuffer a(static_cast<size_t>((rows + kernel.row_block - 1) / kernel.row_block) *
                  kernel.block_bytes(k));
  for (auto _ : state) {
    kernel.prepare({x.data(), static_cast<size_t>(k), rows, k}, a.data());
    benchmark::ClobberMemory();
  }
  state.counters["ns/vector of 16"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * rows * k / 16 / 1e9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void run_attention(benchmark::State& state, const KernelTable& table,
                   decltype(KernelTable::attention) kernel) {
  if (table.enter != nullptr) table.enter();
  const auto length = static_cast<int>(state.range(0));
  const size_t stride = 1152;
  const auto x = random_floats(static_cast<size_t>(length) * stride, 1);
  std::vector<float> out(static_cast<size_t>(length) * 384);
  AlignedBuffer space(table.attention_workspace(length, 32));
  for (auto _ : state) {
    for (int head = 0; head < 12; ++head) {
      const AttentionArgs args{.q = x.data() + head * 32,
                               .k = x.data() + 384 + head * 32,
                               .v = x.data() + 768 + head * 32,
                               .q_stride = stride,
                               .kv_stride = stride,
                               .length = length,
                               .head_size = 32,
                               .end = length,
                               .scale = 0.17F,
                               .workspace = space.data(),
                               .out = out.data() + head * 32,
                               .out_stride = 384};
      kernel(args);
    }
    benchmark::ClobberMemory();
  }
  state.counters["us/token"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * length / 1e6,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

const bool registered = [] {
  for (const std::string& name : table_names()) {
    if (name == "reference" || !why_unsupported(name).empty()) continue;
    const KernelTable& t = table(name);
    const std::vector<std::pair<std::string, const LinearKernel*>> kernels = {
        {"float32", &t.f32}, {"bf16", &t.bf16}, {"int8", &t.i8}};
    for (const auto& [tier, kernel] : kernels) {
      if (kernel->run == nullptr) continue;
      for (const auto& [act_name, act] :
           {std::pair{"", Act::kNone}, std::pair{"/gelu", Act::kGelu}}) {
        benchmark::RegisterBenchmark((name + "/" + tier + "/linear" + act_name).c_str(),
                                     [&t, kernel = kernel, act = act](benchmark::State& s) {
                                       run_linear(s, t, *kernel, act);
                                     })
            ->Args({64, 384, 384})
            ->Args({32, 384, 32})
            ->Args({256, 384, 1152})
            ->Args({64, 384, 1152})
            ->Args({64, 384, 768})
            ->Args({64, 384, 6144})
            ->Args({256, 384, 6144})
            ->Args({256, 384, 384})
            ->Args({64, 768, 384});
      }
      if (kernel->prepare != nullptr) {
        benchmark::RegisterBenchmark(
            (name + "/" + tier + "/prepare").c_str(),
            [&t, kernel = kernel](benchmark::State& s) { run_prepare(s, t, *kernel); });
      }
    }
    for (const auto& [title, kernel] :
         {std::pair{"/attention", t.attention}, std::pair{"/attention_i16", t.attention_i16},
          std::pair{"/attention_bf16", t.attention_bf16}}) {
      benchmark::RegisterBenchmark(
          (name + title).c_str(),
          [&t, kernel = kernel](benchmark::State& s) { run_attention(s, t, kernel); })
          ->Arg(12)
          ->Arg(128)
          ->Arg(256);
    }
  }
  return true;
}();

}  // namespace
}  // namespace embedforge::kernels
