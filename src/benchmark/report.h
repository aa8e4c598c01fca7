// Takes: what was measured. Gives: it as rows, text, JSON, a plot and a page. Never: a speed
// without the cosine of the vectors that came out at that speed.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "benchmark/machine.h"
#include "benchmark/measure.h"
#include "benchmark/ratio.h"
#include "evaluate/similarity.h"

namespace embedforge::benchmarking {

struct Report {
  Machine machine;
  std::string model;
  int threads = 0;
  std::vector<Workload> workloads;
  std::vector<Measured> engines;
};

/// An engine's figures for one workload.
struct Row {
  const Measured* engine = nullptr;
  std::string setting;
  double p50 = 0, p90 = 0, p99 = 0;  // milliseconds for all texts, of all calls
  double least = 0, most = 0;        // the same of turns
  double texts_per_second = 0;       // by p50
  Ratio to_reference;                // times as fast
  Ratio to_best_peer;                // value 0: there is none
  evaluation::Summary cosine;        // to the reference's vectors
};

/// Of the engines that were measured, the reference first.
std::vector<Row> rows_of(const Report& report, size_t workload);

/// The engine that others are compared with; nullptr when nothing was measured.
const Measured* reference_of(const Report& report);
/// In which a workload was measured; 0: no engine could be.
size_t rounds_of(const Report& report, size_t workload);
/// The fastest engine that isn't the native one, by the rounds' medians; nullptr: there is none.
const Measured* best_peer_of(const Report& report, size_t workload);

std::string to_text(const Report& report);
nlohmann::ordered_json to_json(const Report& report);
std::string to_svg(const Report& report);
std::string to_html(const Report& report);

/// Notes on how to read the figures, one a line, for people.
std::vector<std::string> notes_of(const Report& report);
/// What a reader needs to know of the run: name and value.
std::vector<std::pair<std::string, std::string>> machine_lines(const Report& report);
/// "5.12 [4.98 5.27]"; "5.12" when the interval has no width
std::string ratio_text(const Ratio& ratio);
/// "why (pip install ..)"
std::string missing_text(const Measured& engine);

}  // namespace embedforge::benchmarking
