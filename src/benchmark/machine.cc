#include "benchmark/machine.h"

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <ctime>

#include "base/cpu.h"
#include "base/threads.h"
#include "kernels/select.h"

namespace embedforge::benchmarking {

Machine this_machine() {
  Machine out;
  out.processor = cpu_features().model_name;
  out.features = feature_names();
  out.kernels = kernels::best_table().name;
  out.threads = available_threads();
  out.processors = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  if (getloadavg(&out.load, 1) != 1) out.load = 0;
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  std::array<char, 32> text{};
  if (gmtime_r(&now, &parts) != nullptr)
    std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M UTC", &parts);
  out.time = text.data();
  return out;
}

}  // namespace embedforge::benchmarking
