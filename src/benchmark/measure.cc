#include "benchmark/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <fstream>
#include <memory>
#include <thread>

#include "benchmark/ratio.h"
#include "embedforge/error.h"
#include "embedforge/vectors.h"
#include "evaluate/similarity.h"

namespace embedforge::benchmarking {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr auto kPause = std::chrono::milliseconds(50);  // other engines' threads stop spinning
constexpr double kWarmSeconds = 0.2;  // calls that aren't counted: caches and the clock come back
constexpr double kTurnSeconds = 0.1;  // counted, one call at least
constexpr int kTurnCalls = 100;       // at most
constexpr size_t kMemoryTexts = 32;

/// A reason to leave an engine out.
struct Left : std::exception {
  std::string reason, install;

  explicit Left(std::string why, std::string command = {})
      : reason(std::move(why)), install(std::move(command)) {}
};

class Worker {
 public:
  explicit Worker(const Engine& engine, bool prepare = false) : process_(engine.process) {
    json start = engine.start;
    start["prepare"] = prepare;
    ask_line(start);
  }

  /// Its answer. Throws Left.
  json ask(const json& request) {
    ask_line(request);
    return answer();
  }
  json answer() {
    const std::optional<std::string> line = process_.read_line();
    if (!line) throw Left("its process stopped");
    json out = json::parse(*line, nullptr, false);
    if (!out.is_object()) throw Left("its process gave no answer");
    if (out.contains("missing"))
      throw Left(out.value("reason", "not installed"), out["missing"].get<std::string>());
    if (out.contains("failed")) throw Left(out["failed"].get<std::string>());
    return out;
  }
  Matrix vectors(const json& answer) {
    Matrix out{answer.at("rows").get<size_t>(), answer.at("columns").get<size_t>(), {}};
    out.values.resize(out.rows * out.columns);
    if (!process_.read(out.values.data(), out.values.size() * sizeof(float)))
      throw Left("its process stopped");
    return out;
  }
  /// VmHWM starts again at what is resident now.
  void forget_peak() const {
    std::ofstream(fmt::format("/proc/{}/clear_refs", process_.id())) << "5";
  }
  /// A field of /proc/PID/status in bytes.
  uint64_t memory(const std::string& field) const {
    std::ifstream in(fmt::format("/proc/{}/status", process_.id()));
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with(field + ":")) return std::stoull(line.substr(field.size() + 1)) << 10U;
    }
    return 0;
  }

 private:
  void ask_line(const json& request) {
    if (!process_.write(request.dump() + '\n')) throw Left("its process stopped");
  }
  ChildProcess process_;
};

json add(const std::string& name, const std::vector<std::string>& texts) {
  return {{"add", name}, {"texts", texts}};
}

json run(const std::string& name, double warm, double seconds, bool vectors) {
  return {{"run", name},
          {"warm", warm},
          {"seconds", seconds},
          {"calls", kTurnCalls},
          {"vectors", vectors}};
}
json run_once(const std::string& name) { return run(name, 0, 0, false); }

class Measurement {
 public:
  Measurement(const std::vector<Engine>& engines, const std::vector<Workload>& workloads,
              const std::function<void(const std::string&)>& progress)
      : workloads_(workloads), progress_(progress) {
    for (const Engine& engine : engines) {
      results_.push_back({.name = engine.name, .missing = engine.missing});
      workers_.emplace_back();
      if (engine.missing.empty())
        guard(results_.size() - 1, [&] { start(engine, results_.size() - 1); });
    }
  }

  /// False: there was nothing to do.
  bool round(int number, const Rounds& rounds) {
    bool some = false;
    for (size_t w = 0; w < workloads_.size(); ++w) {
      if (number >= rounds.least && seconds_[w] >= rounds.seconds) continue;
      const std::vector<size_t> taking = taking_turns(w, number < rounds.least, rounds.precision);
      if (taking.empty()) continue;
      some = true;
      progress_(fmt::format("round {}: {}", number + 1, workloads_[w].name));
      const Clock::time_point begin = Clock::now();
      for (int t = 0; t < workloads_[w].turns; ++t)
        turn(w, static_cast<size_t>(number * workloads_[w].turns + t), taking);
      seconds_[w] += std::chrono::duration<double>(Clock::now() - begin).count();
    }
    return some;
  }

  std::vector<Measured> finish() {
    for (size_t e = 0; e < workers_.size(); ++e) {
      if (workers_[e] != nullptr)
        results_[e].peak_bytes = std::max(results_[e].memory_bytes, workers_[e]->memory("VmHWM"));
    }
    return std::move(results_);
  }

 private:
  template <typename Work>
  void guard(size_t e, Work work) {
    try {
      work();
    } catch (const Left& left) {
      leave(e, left);
    } catch (const Error& error) {
      leave(e, Left(error.what()));
    } catch (const json::exception& error) {
      leave(e, Left(std::string("its process answered wrongly: ") + error.what()));
    }
  }
  void leave(size_t e, const Left& left) {
    results_[e].missing = left.reason;
    results_[e].install = left.install;
    workers_[e].reset();
  }

  void start(const Engine& engine, size_t e) {
    Measured& result = results_[e];
    if (engine.prepares) {
      progress_("making the files of " + engine.name);
      Worker(engine, true).answer();
    }
    progress_("loading " + engine.name);
    const Clock::time_point begin = Clock::now();
    workers_[e] = std::make_unique<Worker>(engine);
    Worker& worker = *workers_[e];
    const json ready = worker.answer();
    result.load_seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    result.version = ready.at("version").get<std::string>();
    result.file_bytes = ready.at("bytes").get<uint64_t>();
    const std::vector<std::string>& texts = workloads_.front().texts;
    worker.ask(add("first", {texts.front()}));
    result.first_seconds = worker.ask(run_once("first")).at("seconds").at(0).get<double>();
    std::vector<std::string> some(kMemoryTexts);
    for (size_t i = 0; i < some.size(); ++i) some[i] = texts[i % texts.size()];
    worker.ask(add("some", some));
    worker.ask(run_once("some"));
    result.memory_bytes = worker.memory("VmHWM");
    json names = json::array();
    for (const Workload& workload : workloads_) {
      worker.ask(add(workload.name, workload.texts));
      names.push_back(workload.name);
    }
    progress_("choosing the settings of " + engine.name);
    const json chosen = worker.ask({{"choose", names}}).at("chosen");
    worker.forget_peak();
    for (const Workload& workload : workloads_)
      result.series.push_back({.setting = chosen.value(workload.name, "")});
  }

  /// Engines that run; unless `all` are asked for, those whose ratio isn't known well enough, and
  /// the reference for them.
  std::vector<size_t> taking_turns(size_t w, bool all, double precision) const {
    std::vector<size_t> out;
    std::vector<double> reference;
    for (size_t e = 0; e < workers_.size(); ++e) {
      if (workers_[e] == nullptr) continue;
      const std::vector<double> medians = turn_medians(results_[e].series[w]);
      const bool is_reference = out.empty();
      if (is_reference) reference = medians;
      const Ratio ratio = paired_ratio(reference, medians);
      if (all || is_reference || ratio.high > (1 + precision) * ratio.value) out.push_back(e);
    }
    if (!all && out.size() == 1) out.clear();
    return out;
  }

  /// Turn t of the engines `taking` it. The first one's vectors are compared.
  void turn(size_t w, size_t t, const std::vector<size_t>& taking) {
    std::vector<Matrix> vectors(workers_.size());
    for (size_t i = 0; i < taking.size(); ++i) {
      const size_t e = taking[(i + t) % taking.size()];  // another begins each time
      if (workers_[e] != nullptr) guard(e, [&] { turn_of(e, w, t == 0 ? &vectors[e] : nullptr); });
    }
    if (t == 0) compare(w, vectors);
  }
  void turn_of(size_t e, size_t w, Matrix* vectors) {
    std::this_thread::sleep_for(kPause);
    const json answer =
        workers_[e]->ask(run(workloads_[w].name, kWarmSeconds, kTurnSeconds, vectors != nullptr));
    results_[e].series[w].seconds.push_back(answer.at("seconds").get<std::vector<double>>());
    if (vectors != nullptr) *vectors = workers_[e]->vectors(answer);
  }

  /// To the vectors of the first engine that runs.
  void compare(size_t w, const std::vector<Matrix>& vectors) {
    const Matrix* reference = nullptr;
    for (size_t e = 0; e < workers_.size(); ++e) {
      if (workers_[e] == nullptr) continue;
      if (reference == nullptr) reference = &vectors[e];
      guard(e, [&] {
        results_[e].series[w].cosines = evaluation::row_cosines(*reference, vectors[e]);
      });
    }
  }

  const std::vector<Workload>& workloads_;
  const std::function<void(const std::string&)>& progress_;
  std::vector<double> seconds_ = std::vector<double>(workloads_.size());  // that each has taken
  std::vector<Measured> results_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace

std::vector<double> turn_medians(const Series& series) {
  std::vector<double> out;
  out.reserve(series.seconds.size());
  for (const std::vector<double>& turn : series.seconds) out.push_back(median(turn));
  return out;
}

std::vector<Measured> measure(const std::vector<Engine>& engines,
                              const std::vector<Workload>& workloads, const Rounds& rounds,
                              const std::function<void(const std::string&)>& progress) {
  Measurement measurement(engines, workloads, progress);
  for (int r = 0; measurement.round(r, rounds);) ++r;
  return measurement.finish();
}

}  // namespace embedforge::benchmarking
