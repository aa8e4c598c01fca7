// Whole-model speed of each kernel table and compute on random weights, as tokens a second and
// linear multiply-adds a second.
//
//   engine_bench --benchmark_filter=amx
#include <benchmark/benchmark.h>

#include <memory>

#include "engine/engine.h"
#include "kernels/select.h"
#include "support/random_bert.h"

namespace embedforge {
namespace {

const Program& mini_lm() {
  static const Program program = RandomBert(kMiniLm).build();
  return program;
}

struct Tokens {
  std::vector<int32_t> ids;
  std::vector<size_t> offsets{0};

  Tokens(int sequences, int length) {
    for (int i = 0; i < sequences; ++i) {
      for (int j = 0; j < length; ++j) ids.push_back((i * 131 + j * 17) % 30000);
      offsets.push_back(ids.size());
    }
  }
  TokenBatch batch() const { return {ids, {}, offsets}; }
};

void run(benchmark::State& state, const std::string& table, Compute compute) {
  const Engine engine(mini_lm(), {.table = &kernels::table(table),
                                  .compute = compute,
                                  .threads = static_cast<int>(state.range(2))});
  const Tokens tokens(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
  std::vector<float> out(tokens.batch().sequences() * engine.hidden_size());
  engine.pooled(tokens.batch(), out.data());
  for (auto _ : state) {
    engine.pooled(tokens.batch(), out.data());
    benchmark::DoNotOptimize(out.data());
  }
  const auto count =
      static_cast<double>(state.iterations()) * static_cast<double>(tokens.ids.size());
  const double linear = 6.0 * 384 * (3 * 384 + 384 + 2 * 1536);
  state.counters["tokens/s"] = benchmark::Counter(count, benchmark::Counter::kIsRate);
  state.counters["GMAC/s"] = benchmark::Counter(count * linear / 1e9, benchmark::Counter::kIsRate);
}

const bool registered = [] {
  const std::vector<std::pair<const char*, Compute>> tiers = {
      {"float32", Compute::kFloat32}, {"bf16", Compute::kBfloat16}, {"int8", Compute::kInt8}};
  for (const std::string& name : kernels::table_names()) {
    if (name == "reference" || !kernels::why_unsupported(name).empty()) continue;
    for (const auto& [tier, compute] : tiers) {
      if (compute == Compute::kBfloat16 && kernels::table(name).bf16.run == nullptr) continue;
      benchmark::RegisterBenchmark(("engine/" + name + "/" + tier).c_str(), run, name, compute)
          ->ArgNames({"texts", "tokens", "threads"})
          ->Args({64, 128, 1})
          ->Args({256, 12, 1})
          ->Args({32, 12, 2})
          ->Args({1, 12, 1})
          ->Args({1, 12, 2})
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
    }
  }
  return true;
}();

}  // namespace
}  // namespace embedforge
