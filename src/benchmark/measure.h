// Takes: engines, each a process, and workloads. Gives: what every engine took for every workload,
// and how near its vectors are. Never: runs two engines at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/child_process.h"

namespace embedforge::benchmarking {

struct Workload {
  std::string name;
  std::vector<std::string> texts;
  int turns = 1;         // of each engine in a round: machines change their speed within a second
  bool latency = false;  // what matters is how long a call takes, else how many texts a second
};

/// `least` rounds of all engines. Then, while a workload has taken less than `seconds`, rounds of
/// the reference and of those engines whose ratio to it has a 95 % interval that reaches further
/// than `precision` (0.05: 5 %) from its value.
struct Rounds {
  int least = 5;
  double seconds = 600;
  double precision = 0.05;
};

/// How an engine is started. The process gets a line of JSON and speaks the protocol at the top of
/// peer_worker.py.
struct Engine {
  std::string name;     // "onnxruntime:int8"
  std::string missing;  // why it can't be measured at all; "" when it can
  ChildOptions process;
  nlohmann::json start;   // the first line
  bool prepares = false;  // a process of its own makes its files first
  bool native() const { return name.starts_with("native"); }
};

struct Series {
  std::string setting;                       // the fastest of the engine's; "" when it has one only
  std::vector<std::vector<double>> seconds;  // by turn, by call
  std::vector<double> cosines;               // to the reference's vectors, of every text
};

struct Measured {
  std::string name;
  std::string missing, install;  // why it isn't measured, and the command that changes that
  std::string version;
  uint64_t file_bytes = 0;
  double load_seconds = 0;     // from the start of its process until the model is there
  double first_seconds = 0;    // the first text after that
  uint64_t memory_bytes = 0;   // resident at the most, with the model loaded and 32 texts embedded
  uint64_t peak_bytes = 0;     // resident at the most, in the rounds or before
  std::vector<Series> series;  // by workload
  bool native() const { return name.starts_with("native"); }
};

/// The seconds of a call, by turn.
std::vector<double> turn_medians(const Series& series);

/// The first engine that runs is the reference. Engines take turns in every round. `progress` gets
/// a line for people. Engines that fail are in the result, with the reason.
std::vector<Measured> measure(const std::vector<Engine>& engines,
                              const std::vector<Workload>& workloads, const Rounds& rounds,
                              const std::function<void(const std::string&)>& progress);

}  // namespace embedforge::benchmarking
