#include "benchmark/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace embedforge::benchmarking {
namespace {

using Json = nlohmann::ordered_json;

Row make_row(const Report& report, const Measured& engine, size_t w) {
  const Series& series = engine.series[w];
  const std::vector<double> medians = turn_medians(series);
  const auto [least, most] = std::minmax_element(medians.begin(), medians.end());
  std::vector<double> calls;
  for (const std::vector<double>& turn : series.seconds)
    calls.insert(calls.end(), turn.begin(), turn.end());
  std::sort(calls.begin(), calls.end());
  Row row{.engine = &engine,
          .setting = series.setting,
          .p50 = 1e3 * median(calls),
          .p90 = 1e3 * evaluation::percentile(calls, 90),
          .p99 = 1e3 * evaluation::percentile(calls, 99),
          .least = 1e3 * *least,
          .most = 1e3 * *most,
          .cosine = evaluation::summarize(series.cosines)};
  row.texts_per_second = 1e3 * static_cast<double>(report.workloads[w].texts.size()) / row.p50;
  row.to_reference = paired_ratio(turn_medians(reference_of(report)->series[w]), medians);
  if (const Measured* best = best_peer_of(report, w))
    row.to_best_peer = paired_ratio(turn_medians(best->series[w]), medians);
  return row;
}

/// "5 rounds", "5 to 12 rounds"
std::string rounds_text(const Report& report) {
  std::vector<size_t> counts(report.workloads.size());
  for (size_t w = 0; w < counts.size(); ++w) counts[w] = rounds_of(report, w);
  const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
  if (*least != *most) return fmt::format("{} to {} rounds", *least, *most);
  return *most == 1 ? "one round" : fmt::format("{} rounds", *most);
}

double mb(uint64_t bytes) { return static_cast<double>(bytes) / 1e6; }

Json ratio_json(const Ratio& ratio) {
  return {{"value", ratio.value}, {"low", ratio.low}, {"high", ratio.high}};
}

Json row_json(const Row& row, const Series& series) {
  Json out = {{"engine", row.engine->name},
              {"setting", row.setting},
              {"p50_ms", row.p50},
              {"p90_ms", row.p90},
              {"p99_ms", row.p99},
              {"texts_per_second", row.texts_per_second},
              {"times_reference", ratio_json(row.to_reference)}};
  if (row.to_best_peer.value > 0) out["times_best_peer"] = ratio_json(row.to_best_peer);
  out["cosine"] = {{"mean", row.cosine.mean}, {"min", row.cosine.min}, {"p5", row.cosine.p5}};
  out["seconds"] = series.seconds;
  return out;
}

}  // namespace

const Measured* reference_of(const Report& report) {
  for (const Measured& engine : report.engines) {
    if (engine.missing.empty()) return &engine;
  }
  return nullptr;
}

size_t rounds_of(const Report& report, size_t workload) {
  const Measured* reference = reference_of(report);
  if (reference == nullptr) return 0;
  return reference->series[workload].seconds.size() /
         static_cast<size_t>(report.workloads[workload].turns);
}

const Measured* best_peer_of(const Report& report, size_t workload) {
  const Measured* best = nullptr;
  double least = 0;
  for (const Measured& engine : report.engines) {
    if (!engine.missing.empty() || engine.native()) continue;
    const double seconds = median(turn_medians(engine.series[workload]));
    if (best == nullptr || seconds < least) {
      best = &engine;
      least = seconds;
    }
  }
  return best;
}

std::vector<Row> rows_of(const Report& report, size_t workload) {
  std::vector<Row> out;
  for (const Measured& engine : report.engines) {
    if (engine.missing.empty()) out.push_back(make_row(report, engine, workload));
  }
  return out;
}

std::string ratio_text(const Ratio& ratio) {
  if (ratio.value <= 0) return "";
  if (ratio.low == ratio.high) return fmt::format("{:.2f}", ratio.value);
  return fmt::format("{:.2f} [{:.2f} {:.2f}]", ratio.value, ratio.low, ratio.high);
}

std::string missing_text(const Measured& engine) {
  if (engine.install.empty()) return engine.missing;
  return engine.install + "   (" + engine.missing + ")";
}

std::vector<std::pair<std::string, std::string>> machine_lines(const Report& report) {
  const Machine& m = report.machine;
  return {
      {"model", report.model},
      {"processor", m.processor},
      {"features", m.features + "; kernels " + m.kernels},
      {"threads", fmt::format("{} for every engine; {} allowed (affinity, container quota) of {} "
                              "processors",
                              report.threads, m.threads, m.processors)},
      {"load",
       fmt::format("{:.2f} tasks in the minute before{}", m.load,
                   m.load > 0.3 * m.threads ? ": others were at work, so figures may vary" : "")},
      {"measured", fmt::format("{}, {} in turn", m.time, rounds_text(report))}};
}

std::vector<std::string> notes_of(const Report& report) {
  const Measured* reference = reference_of(report);
  if (reference == nullptr) return {"No engine could be measured."};
  return {
      fmt::format("Ratios are times as fast as {}, and as the fastest engine that isn't embedforge "
                  "(best peer): geometric means of the turns' ratios with the 95 % interval of a "
                  "paired t test on their logarithms.",
                  reference->name),
      fmt::format("Cosines are to the vectors of {}, mean and least over the workload's texts.",
                  reference->name),
      "Every engine has a process of its own and takes turns with the others, each after a fifth "
      "of a second of calls that aren't counted. Where an engine can be set up in several ways, "
      "the fastest is taken for each workload: all:32 is one session with all threads and batches "
      "of 32, split:8 a session a thread with batches of 8, fused the graph of `embedforge "
      "optimize --level all`, no-skip ONNX Runtime without its fusion of sums and norms.",
      "Load: from the start of the process until the model is there, Python's imports included. "
      "Memory: resident at the most after the first 32 texts; peak: in the rounds, with the "
      "sessions of all settings that were chosen."};
}

Json to_json(const Report& report) {
  const Machine& m = report.machine;
  Json out = {{"model", report.model},
              {"machine",
               {{"processor", m.processor},
                {"features", m.features},
                {"kernels", m.kernels},
                {"threads_allowed", m.threads},
                {"processors", m.processors},
                {"load", m.load},
                {"time", m.time}}},
              {"threads", report.threads},
              {"interval", "95 %, paired t on log ratios of turns"}};
  const Measured* reference = reference_of(report);
  out["reference"] = reference == nullptr ? Json(nullptr) : Json(reference->name);
  for (const Measured& engine : report.engines) {
    if (!engine.missing.empty()) {
      out["engines"].push_back(
          {{"name", engine.name}, {"missing", engine.missing}, {"install", engine.install}});
      continue;
    }
    out["engines"].push_back({{"name", engine.name},
                              {"version", engine.version},
                              {"file_bytes", engine.file_bytes},
                              {"load_seconds", engine.load_seconds},
                              {"first_seconds", engine.first_seconds},
                              {"memory_bytes", engine.memory_bytes},
                              {"peak_bytes", engine.peak_bytes}});
  }
  for (size_t w = 0; w < report.workloads.size(); ++w) {
    const Measured* best = best_peer_of(report, w);
    Json one = {{"name", report.workloads[w].name},
                {"texts", report.workloads[w].texts.size()},
                {"rounds", rounds_of(report, w)},
                {"best_peer", best == nullptr ? Json(nullptr) : Json(best->name)},
                {"rows", Json::array()}};
    for (const Row& row : rows_of(report, w))
      one["rows"].push_back(row_json(row, row.engine->series[w]));
    out["workloads"].push_back(one);
  }
  return out;
}

std::string to_text(const Report& report) {
  std::string out;
  for (const auto& [name, value] : machine_lines(report))
    out += fmt::format("{:<10} {}\n", name, value);
  out += fmt::format("\n{:<18} {:<22} {:>9} {:>9} {:>9} {:>10} {:>9}\n", "engine", "version",
                     "file MB", "load ms", "first ms", "memory MB", "peak MB");
  for (const Measured& e : report.engines) {
    if (!e.missing.empty()) continue;
    out += fmt::format("{:<18} {:<22} {:>9.1f} {:>9.0f} {:>9.2f} {:>10.0f} {:>9.0f}\n", e.name,
                       e.version, mb(e.file_bytes), 1e3 * e.load_seconds, 1e3 * e.first_seconds,
                       mb(e.memory_bytes), mb(e.peak_bytes));
  }
  for (size_t w = 0; w < report.workloads.size(); ++w) {
    const Workload& workload = report.workloads[w];
    const bool latency = workload.latency;
    const Measured* reference = reference_of(report);
    if (reference == nullptr) break;
    out += fmt::format("\n{}\n{:<18} {:>9}{} {:>10} {:>20} {:>20} {:>17}  {}\n", workload.name,
                       "engine", latency ? "p50 ms" : "ms",
                       latency ? fmt::format(" {:>9} {:>9}", "p90 ms", "p99 ms") : "", "texts/s",
                       "x " + reference->name, "x best peer", "cosine mean / min", "setting");
    for (const Row& row : rows_of(report, w)) {
      out += fmt::format(
          "{:<18} {:>9.2f}{} {:>10.1f} {:>20} {:>20} {:>17}  {}\n", row.engine->name, row.p50,
          latency ? fmt::format(" {:>9.2f} {:>9.2f}", row.p90, row.p99) : "", row.texts_per_second,
          ratio_text(row.to_reference), ratio_text(row.to_best_peer),
          fmt::format("{:.5f} {:.5f}", row.cosine.mean, row.cosine.min), row.setting);
    }
  }
  for (bool first = true; const Measured& e : report.engines) {
    if (e.missing.empty()) continue;
    if (std::exchange(first, false)) out += "\nnot measured\n";
    out += fmt::format("{:<18} {}\n", e.name, missing_text(e));
  }
  return out;
}

}  // namespace embedforge::benchmarking
