#include <fmt/format.h>

#include <memory>
#include <string>

#include "commands.h"
#include "embedforge/hub.h"
#include "output.h"

namespace embedforge::app {
namespace {

struct PullFlags {
  std::string id;
  std::string cache;
  bool weights = false;
  bool progress = false;
  PullOptions options;
};

void run_pull(const PullFlags& flags) {
  PullOptions options = flags.options;
  options.cache = flags.cache;
  if (flags.weights) options.what = PullWhat::kWeights;
  std::unique_ptr<Progress> progress;  // in kB
  uint64_t shown = 0;
  options.progress = [&](uint64_t done, uint64_t total) {
    constexpr uint64_t kUnit = 1000;
    if (progress == nullptr) {
      progress = std::make_unique<Progress>("pulled kB", total / kUnit + 1, flags.progress);
    }
    if (done / kUnit <= shown) return;
    progress->advance(done / kUnit - shown);
    shown = done / kUnit;
  };
  const PullResult result = pull(flags.id, options);
  progress.reset();
  for (const PulledFile& file : result.files) {
    print(fmt::format("{:>10}  {}{}\n", size_text(file.bytes), file.path,
                      file.downloaded ? "" : "  (was there)"));
  }
  print(result.folder.string() + "\n");
}

}  // namespace

void add_pull(CLI::App& app) {
  const auto flags = std::make_shared<PullFlags>();
  CLI::App* command = app.add_subcommand(
      "pull",
      "Bring a model of the Hugging Face hub into the cache (which huggingface_hub shares)");
  command->add_option("ID", flags->id, "owner/name")->type_name("")->required();
  command->add_option("--revision", flags->options.revision, "a branch, tag or commit")
      ->capture_default_str();
  command->add_option("--cache-dir", flags->cache, "default: HF_HUB_CACHE, else HF_HOME/hub");
  command->add_flag("--weights", flags->weights,
                    "the checkpoint's weights even where there is an .onnx file");
  command->add_option("--file", flags->options.file,
                      "the .onnx file, by its path in the repository (default: onnx/model.onnx)");
  command->add_flag("--progress", flags->progress, "show progress even when stderr is no terminal");
  command->footer(
      "HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_CACHE and HF_HUB_OFFLINE mean what they mean to "
      "huggingface_hub.\nExample:\n  embedforge pull BAAI/bge-small-en-v1.5");
  command->callback([flags] { run_pull(*flags); });
}

}  // namespace embedforge::app
