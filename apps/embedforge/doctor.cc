#include <fmt/format.h>
#include <unistd.h>

#include <string>

#include "backends/ort_library.h"
#include "base/cpu.h"
#include "base/threads.h"
#include "commands.h"
#include "embedforge/error.h"
#include "embedforge/version.h"
#include "hub/hub.h"
#include "kernels/select.h"
#include "named_texts.h"
#include "output.h"

namespace embedforge::app {
namespace {

void line(const std::string& key, const std::string& value) {
  print(fmt::format("{:<12} {}\n", key, value));
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

void run_doctor() {
  const CpuFeatures& cpu = cpu_features();
  line("version", std::string("embedforge ") + kVersion);
  line("processor", cpu.model_name);
  line("features", feature_names());
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
  line("", "torch, through " + default_python() + " -m embedforge.torch_worker");
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
