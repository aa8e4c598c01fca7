// Takes: nothing. Gives: what a figure depends on besides the program. Never: measures speed.
#pragma once

#include <string>

namespace embedforge::benchmarking {

struct Machine {
  std::string processor, features, kernels;
  int threads = 0;     // that affinity and quota allow
  int processors = 0;  // that the system has
  double load = 0;     // mean number of runnable tasks over the last minute
  std::string time;    // "2026-11-25 19:08 UTC"
};

Machine this_machine();

}  // namespace embedforge::benchmarking
