#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/cache_folder.h"
#include "commands.h"
#include "embedforge/error.h"
#include "embedforge/hub.h"
#include "hub/hub.h"
#include "output.h"

namespace embedforge::app {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

uint64_t bytes_below(const fs::path& folder) {
  uint64_t bytes = 0;
  std::error_code problem;
  for (fs::recursive_directory_iterator it(folder, problem), end; !problem && it != end;
       it.increment(problem)) {
    std::error_code missing;
    if (it->is_regular_file(missing) && !it->is_symlink(missing)) bytes += it->file_size(missing);
  }
  return bytes;
}

struct Packs {
  uint64_t bytes = 0;
  size_t files = 0;
};

Packs packs_in(const fs::path& folder) {
  Packs out;
  std::error_code problem;
  for (const auto& entry : fs::directory_iterator(folder, problem)) {
    if (entry.path().extension() != ".pack") continue;
    ++out.files;
    out.bytes += entry.file_size(problem);
  }
  return out;
}

Json describe(const fs::path& folder) {
  Json out = {{"folder", folder.string()}, {"converted", Json::array()}};
  std::error_code problem;
  for (const auto& model : fs::directory_iterator(folder / "models", problem)) {
    for (const auto& version : fs::directory_iterator(model.path(), problem)) {
      if (!version.is_directory()) continue;
      out["converted"].push_back({{"model", model.path().filename().string()},
                                  {"folder", version.path().string()},
                                  {"bytes", bytes_below(version.path())}});
    }
  }
  const Packs packs = packs_in(folder);
  out["packed"] = {{"files", packs.files}, {"bytes", packs.bytes}};
  out["hub"] = {{"folder", hub_cache().string()}, {"bytes", bytes_below(hub_cache())}};
  return out;
}

void show(const Json& all) {
  print("embedforge's own, in " + all["folder"].get<std::string>() +
        " (EMBEDFORGE_CACHE; embedforge cache clear empties it):\n");
  for (const Json& each : all["converted"]) {
    print(fmt::format("  {:>9}  converted {}\n", size_text(each["bytes"].get<uint64_t>()),
                      each["model"].get<std::string>()));
  }
  print(fmt::format("  {:>9}  packed weights in {} files\n",
                    size_text(all["packed"]["bytes"].get<uint64_t>()),
                    all["packed"]["files"].get<size_t>()));
  print(fmt::format("Hugging Face's, in {}: {} (embedforge models lists it; never cleared here)\n",
                    all["hub"]["folder"].get<std::string>(),
                    size_text(all["hub"]["bytes"].get<uint64_t>())));
}

fs::path own_folder() {
  const auto folder = cache_folder();
  if (!folder) throw_bad_input("EMBEDFORGE_CACHE is empty: nothing is cached");
  return *folder;
}

/// Converted models and packed weights, and nothing else that may lie in the folder.
void clear() {
  const fs::path folder = own_folder();
  const uint64_t before = bytes_below(folder);
  std::error_code problem;
  fs::remove_all(folder / "models", problem);
  if (problem) throw_bad_input((folder / "models").string() + ": " + problem.message());
  for (const auto& entry : fs::directory_iterator(folder, problem)) {
    std::error_code ignored;
    if (entry.path().extension() == ".pack") fs::remove(entry.path(), ignored);
  }
  print("freed " + size_text(before - bytes_below(folder)) + " in " + folder.string() + "\n");
}

}  // namespace

void add_cache(CLI::App& app) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* command =
      app.add_subcommand("cache", "Show what is cached, how large and where; or clear it");
  command->add_flag("--json", *json, "for machines");
  CLI::App* clearing =
      command->add_subcommand("clear", "Remove converted models and packed weights");
  clearing->callback([] { clear(); });
  command->footer("Examples:\n  embedforge cache\n  embedforge cache clear");
  command->callback([json, command] {
    if (!command->get_subcommands().empty()) return;
    const Json all = describe(own_folder());
    if (*json) {
      print(all.dump(2) + "\n");
    } else {
      show(all);
    }
  });
}

}  // namespace embedforge::app
