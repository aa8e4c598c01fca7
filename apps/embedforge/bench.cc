#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/threads.h"
#include "benchmark/engines.h"
#include "benchmark/measure.h"
#include "benchmark/native_worker.h"
#include "benchmark/report.h"
#include "commands.h"
#include "embedforge/error.h"
#include "named_texts.h"
#include "output.h"

namespace embedforge::app {
namespace {

namespace bm = benchmarking;

struct BenchFlags {
  bm::EngineRequest request;
  std::vector<std::string> against = bm::peer_names();
  std::vector<std::string> workloads = {"sentences", "passages"};
  std::string json, plot, html;
  int rounds = 0;  // as many as it takes
};

constexpr int kTurns = 5;  // a round, of short calls

/// The first 1, 8 and 32 texts of the first set, then every set as a whole.
std::vector<bm::Workload> make_workloads(const std::vector<std::string>& names) {
  std::vector<bm::Workload> out;
  std::vector<bm::Workload> whole;
  for (const std::string& name : names) {
    const std::vector<std::string> texts = named_texts(name);
    if (std::all_of(texts.begin(), texts.end(), [](const std::string& t) { return t.empty(); }))
      throw_bad_input(name + ": has only empty lines; give a text a line");
    if (whole.empty()) {
      for (const size_t count : {1, 8, 32}) {
        if (texts.size() < count) break;
        out.push_back({.name = fmt::format("batch {}", count),
                       .texts = {texts.begin(), texts.begin() + static_cast<ptrdiff_t>(count)},
                       .turns = kTurns,
                       .latency = true});
      }
    }
    const std::string base = std::filesystem::path(name).filename().string();
    whole.push_back(
        {.name = fmt::format("{} {}", texts.size(), name == base ? name : "texts of " + base),
         .texts = texts});
  }
  out.insert(out.end(), whole.begin(), whole.end());
  return out;
}

void write(std::optional<AtomicFile>& file, const std::string& content) {
  if (!file) return;
  file->write(content);
  file->commit();
}

std::optional<AtomicFile> open(const std::string& path) {
  if (path.empty() || path == "-") return std::nullopt;
  return std::optional<AtomicFile>(std::in_place, path);
}

void run_bench(BenchFlags& flags) {
  if (flags.request.threads == 0) flags.request.threads = available_threads();
  if (flags.request.python.empty()) flags.request.python = default_python();
  flags.request.against = flags.against;
  std::erase(flags.request.against, "none");
  bm::Report report{.machine = bm::this_machine(),
                    .model = flags.request.model,
                    .threads = flags.request.threads,
                    .workloads = make_workloads(flags.workloads)};
  std::optional<AtomicFile> json = open(flags.json);
  std::optional<AtomicFile> plot = open(flags.plot);
  std::optional<AtomicFile> html = open(flags.html);
  const auto progress = [](const std::string& line) { fmt::print(stderr, "bench: {}\n", line); };
  const std::vector<bm::Engine> engines = bm::make_engines(flags.request, progress);
  const bm::Rounds rounds =
      flags.rounds == 0 ? bm::Rounds{} : bm::Rounds{.least = flags.rounds, .seconds = 0};
  report.engines = bm::measure(engines, report.workloads, rounds, progress);
  const std::string as_json = bm::to_json(report).dump(2) + "\n";
  write(json, as_json);
  write(plot, bm::to_svg(report));
  write(html, bm::to_html(report));
  print(flags.json == "-" ? as_json : bm::to_text(report));
}

}  // namespace

void add_bench(CLI::App& app) {
  const auto flags = std::make_shared<BenchFlags>();
  flags->request.model = "sentence-transformers/all-MiniLM-L6-v2";
  CLI::App* command = app.add_subcommand(
      "bench", "Measure speed and quality beside PyTorch, ONNX Runtime, OpenVINO and CTranslate2");
  command->add_option("MODEL", flags->request.model, "hub id, a folder, or an .onnx file")
      ->type_name("")
      ->capture_default_str();
  command
      ->add_option("--against", flags->against,
                   "of torch, onnxruntime, openvino, ctranslate2 (with their int8 files, or "
                   "onnxruntime:int8 for that alone), or none")
      ->delimiter(',')
      ->default_str("all");
  command
      ->add_option("--workload", flags->workloads,
                   "of sentences, passages, and files with a text a line; the first gives the "
                   "latencies of 1, 8 and 32 texts")
      ->delimiter(',')
      ->default_str("sentences,passages");
  command->add_option("--checkpoint", flags->request.checkpoint,
                      "what PyTorch and CTranslate2 read (default: MODEL)");
  command->add_option("--threads", flags->request.threads, "of every engine")
      ->check(CLI::Range(1, 1024));
  command
      ->add_option(
          "--rounds", flags->rounds,
          "in which the engines take turns (default: 5 and more, until the ratios are known "
          "to 5 % or a workload has taken ten minutes)")
      ->check(CLI::Range(1, 1000));
  command->add_option("--python", flags->request.python,
                      "the interpreter with the peers' packages (default: EMBEDFORGE_PYTHON, "
                      "python3)");
  command->add_option("--json", flags->json, "write every figure; - for standard output");
  command->add_option("--plot", flags->plot, "write a plot, FILE.svg");
  command->add_option("--html", flags->html, "write a page with plot, tables and notes");
  command->footer(
      "Example:\n"
      "  embedforge bench sentence-transformers/all-MiniLM-L6-v2 --against torch,onnxruntime "
      "--html report.html");
  command->callback([flags] { run_bench(*flags); });
  app.add_subcommand("bench-worker", "")->group("")->callback(bm::run_native_worker);
}

}  // namespace embedforge::app
