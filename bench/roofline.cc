// Each kernel and the whole model beside what the machine's instructions can do, one thread.
//
//   ./dev bench --roofline
//
// A kernel's figure is its multiply-adds a second; the peak is that of a loop of the same
// instructions fed from the nearest cache (peaks.h), measured right before. Attention's two
// products stand beside the float32 peak, in 16 bits beside half of the int8 peak; its softmax is
// not counted. The model's products are those of its linear layers; everything else that it does
// takes time, too.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string_view>

#include "base/cpu.h"
#include "engine/engine.h"
#include "linear_case.h"
#include "peaks.h"
#include "support/random_bert.h"

namespace embedforge {
namespace {

using kernels::KernelTable;
using kernels::LinearKernel;

/// GMAC/s: the best of 7 runs of at least 10 ms.
template <typename Work>
double speed(double multiply_adds, const Work& work) {
  using Clock = std::chrono::steady_clock;
  double best = 0;
  for (int i = 0; i < 7; ++i) {
    const Clock::time_point begin = Clock::now();
    double seconds = 0;
    double done = 0;
    while (seconds < 0.01) {
      work();
      done += multiply_adds;
      seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    }
    best = std::max(best, done / seconds / 1e9);
  }
  return best;
}

void line(const std::string& name, double reached, double peak) {
  fmt::print("  {:<44} {:>9.1f} {:>9.1f} {:>6.0f} %\n", name, reached, peak, 100 * reached / peak);
}

void linear_layers(const KernelTable& table, const LinearKernel& kernel, Tier tier) {
  for (const auto& [rows, k, n] : {std::array{256, 384, 1152},
                                   {256, 384, 384},
                                   {64, 384, 384},
                                   {256, 384, 1536},
                                   {256, 1536, 384},
                                   {12, 384, 1536}}) {
    const kernels::LinearCase linear(table, kernel, rows, k, n);
    const double peak = measured_peak(table.name, tier);
    line(fmt::format("{} linear, {} x {} x {}", tier_name(tier), rows, k, n),
         speed(linear.multiply_adds(), [&] { linear.run(); }), peak);
  }
  const kernels::LinearCase gelu(table, kernel, 256, 384, 1536, kernels::Act::kGelu);
  line(fmt::format("{} linear with GELU, 256 x 384 x 1536", tier_name(tier)),
       speed(gelu.multiply_adds(), [&] { gelu.run(); }), measured_peak(table.name, tier));
}

void attention(const KernelTable& table, bool rounded, int length) {
  constexpr int kHead = 32;
  const size_t stride = 1152;
  const auto x = kernels::random_floats(static_cast<size_t>(length) * stride, 1);
  std::vector<float> out(static_cast<size_t>(length) * 384);
  AlignedBuffer space(table.attention_workspace(length, kHead));
  const kernels::AttentionArgs args{.q = x.data(),
                                    .k = x.data() + 384,
                                    .v = x.data() + 768,
                                    .q_stride = stride,
                                    .kv_stride = stride,
                                    .length = length,
                                    .head_size = kHead,
                                    .end = length,
                                    .scale = 0.17F,
                                    .workspace = space.data(),
                                    .out = out.data(),
                                    .out_stride = 384};
  // Neither is computed with tiles; 16-bit integers multiply at half the speed of bytes.
  const std::string vectors = std::string_view(table.name) == "amx" ? "avx512" : table.name;
  const double peak =
      rounded ? measured_peak(vectors, Tier::kInt8) / 2 : measured_peak(vectors, Tier::kFloat32);
  line(fmt::format("{}attention, {} tokens, head {}", rounded ? "16-bit " : "", length, kHead),
       speed(2.0 * length * length * kHead,
             [&] { (rounded ? table.attention_i16 : table.attention)(args); }),
       peak);
}

void whole_model(const KernelTable& table, Tier tier, int texts, int length) {
  static const Program kProgram = RandomBert(kMiniLm).build();
  const Compute compute = tier == Tier::kFloat32    ? Compute::kFloat32
                          : tier == Tier::kBfloat16 ? Compute::kBfloat16
                                                    : Compute::kInt8;
  const Engine engine(kProgram, {.table = &table, .compute = compute, .threads = 1});
  std::vector<int32_t> ids;
  std::vector<size_t> offsets = {0};
  for (int i = 0; i < texts; ++i) {
    for (int j = 0; j < length; ++j) ids.push_back((i * 131 + j * 17) % 30000);
    offsets.push_back(ids.size());
  }
  std::vector<float> out(static_cast<size_t>(texts) * engine.hidden_size());
  const double layers = 6.0 * 384 * (3 * 384 + 384 + 2 * 1536);  // a token's, all-MiniLM-L6-v2
  line(fmt::format("{} whole model, {} texts of {} tokens", tier_name(tier), texts, length),
       speed(layers * static_cast<double>(ids.size()),
             [&] {
               engine.pooled({ids, {}, offsets}, out.data());
             }),
       measured_peak(table.name, tier));
}

void roofline(const KernelTable& table) {
  if (table.enter != nullptr) table.enter();
  fmt::print("\n{} on {}\n  {:<44} {:>9} {:>9} {:>8}\n", table.name, cpu_features().model_name, "",
             "GMAC/s", "peak", "reached");
  std::vector<Tier> tiers;
  for (const Tier tier : {Tier::kFloat32, Tier::kBfloat16, Tier::kInt8}) {
    if (linear_kernel(tier, table).run != nullptr) tiers.push_back(tier);
  }
  for (const Tier tier : tiers) linear_layers(table, linear_kernel(tier, table), tier);
  for (const int length : {12, 128, 256}) {
    attention(table, false, length);
    attention(table, true, length);
  }
  if (table.leave != nullptr) table.leave();
  for (const Tier tier : tiers) {
    if (table.enter != nullptr) table.enter();  // the engine leaves it
    whole_model(table, tier, 64, 12);
    if (table.enter != nullptr) table.enter();
    whole_model(table, tier, 16, 128);
  }
}

}  // namespace
}  // namespace embedforge

int main() {
  for (const std::string& name : embedforge::kernels::table_names()) {
    if (name == "reference" || name == "portable") continue;  // no peaks
    if (!embedforge::kernels::why_unsupported(name).empty()) continue;
    embedforge::roofline(embedforge::kernels::table(name));
  }
}
