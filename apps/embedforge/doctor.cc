#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "backends/ort_library.h"
#include "base/cpu.h"
#include "base/threads.h"
#include "commands.h"
#include "embedforge/error.h"
#include "embedforge/version.h"
#include "hub/hub.h"
#include "kernels/select.h"
#include "output.h"

namespace embedforge::app {
namespace {

void line(const std::string& key, const std::string& value) {
  print(fmt::format("{:<12} {}\n", key, value));
}

std::string features() {
  const CpuFeatures& cpu = cpu_features();
  const std::vector<std::pair<const char*, bool>> known = {{"avx2", cpu.avx2},
                                                           {"avx_vnni", cpu.avx_vnni},
                                                           {"avx512", cpu.avx512},
                                                           {"avx512_vnni", cpu.avx512_vnni},
                                                           {"avx512_bf16", cpu.avx512_bf16},
                                                           {"amx_bf16", cpu.amx_bf16},
                                                           {"amx_int8", cpu.amx_int8}};
  std::string text;
  for (const auto& [name, present] : known) {
    if (present) text += std::string(text.empty() ? "" : " ") + name;
  }
  return text.empty() ? "baseline only" : text;
}

std::string onnxruntime() {
  try {
    const ort::Library& library = ort::load_library("");
    std::string text = "onnxruntime " + library.version + " (" + library.path + "):";
    for (const std::string& name : library.providers()) text += " " + name;
    return text;
  } catch (const Error& error) {
    return error.what();
  }
}

std::string python_name() {
  const char* named = std::getenv("EMBEDFORGE_PYTHON");
  return named != nullptr && *named != '\0' ? named : "python3";
}

void run_doctor() {
  const CpuFeatures& cpu = cpu_features();
  line("version", std::string("embedforge ") + kVersion);
  line("processor", cpu.model_name);
  line("features", features());
  line("caches",
       fmt::format("{} kB L1, {} kB L2 a core", cpu.l1d_bytes >> 10U, cpu.l2_bytes >> 10U));
  line("kernels", std::string(kernels::best_table().name) + " (EMBEDFORGE_ISA chooses another)");
  for (const std::string& name : kernels::table_names()) {
    const std::string reason = kernels::why_unsupported(name);
    line("", fmt::format("{:<12} {}", name, reason.empty() ? "runs here" : reason));
  }
  line("threads", fmt::format("{} of {} processors (affinity and container quota)",
                              available_threads(), sysconf(_SC_NPROCESSORS_ONLN)));
  line("hub cache", hub_cache().string());
  line("providers", "native");
  line("", onnxruntime());
  line("", "torch, through " + python_name() + " -m embedforge.torch_worker");
  line("", "openai tei ollama cohere voyage, over HTTP");
}

}  // namespace

void add_doctor(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "doctor", "Show the processor's features, the kernels in use, threads and providers");
  command->footer("Example:\n  embedforge doctor");
  command->callback(run_doctor);
}

}  // namespace embedforge::app
