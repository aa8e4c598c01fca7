#include "hub/hub.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>

#include "embedforge/error.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

/// `~` and `~/...` as huggingface_hub expands them.
fs::path expand_home(const std::string& path) {
  if (path != "~" && !path.starts_with("~/")) return path;
  return fs::path(environment("HOME").value_or("/")) /
         path.substr(std::min<size_t>(path.size(), 2));
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

/// A repository or owner name of the hub: letters, digits and -_. without "..", "--" or such at
/// either end.
bool is_name(std::string_view name) {
  const auto edge = [](char c) { return c == '-' || c == '.'; };
  return !name.empty() && name.size() <= 96 &&
         std::all_of(name.begin(), name.end(), is_name_character) &&
         name.find("..") == std::string_view::npos && name.find("--") == std::string_view::npos &&
         !edge(name.front()) && !edge(name.back());
}

bool is_hub_id(std::string_view id) {
  const size_t slash = id.find('/');
  if (slash == std::string_view::npos) return is_name(id);
  return is_name(id.substr(0, slash)) && is_name(id.substr(slash + 1));
}

fs::path snapshot_of(const std::string& id) {
  const fs::path repository = hub_cache() / cache_folder_name(id);
  std::error_code ignored;
  if (!fs::is_directory(repository, ignored)) {
    throw_bad_input(id + ": no such folder or .onnx file, and no such model in the cache " +
                    hub_cache().string());
  }
  std::ifstream ref(repository / "refs" / "main");
  std::string revision;
  ref >> revision;
  if (!std::all_of(revision.begin(), revision.end(), is_name_character) || revision.empty() ||
      revision.find("..") != std::string::npos) {
    throw_bad_input((repository / "refs" / "main").string() + ": missing or names no revision");
  }
  fs::path snapshot = repository / "snapshots" / revision;
  if (!fs::is_directory(snapshot, ignored)) {
    throw_bad_input(snapshot.string() + ": the revision that refs/main names is not in the cache");
  }
  return snapshot;
}

}  // namespace

fs::path hub_cache() {
  if (const auto cache = environment("HF_HUB_CACHE")) return expand_home(*cache);
  if (const auto home = environment("HF_HOME")) return expand_home(*home) / "hub";
  const fs::path base = expand_home(environment("XDG_CACHE_HOME").value_or("~/.cache"));
  return base / "huggingface" / "hub";
}

std::string cache_folder_name(const std::string& id) {
  if (!is_hub_id(id)) throw_bad_input("\"" + id + "\": no such folder or file, and not a hub id");
  std::string name = "models--" + id;
  if (const size_t slash = name.find('/'); slash != std::string::npos) name.replace(slash, 1, "--");
  return name;
}

ResolvedModel resolve_model(const std::string& model) {
  if (model.empty()) throw_bad_input("the model's name is empty");
  const fs::path path = model;
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return {path, {}};
  if (path.extension() == ".onnx") {
    if (!fs::is_regular_file(path, ignored)) throw_bad_input(model + ": no such file");
    fs::path folder = path.parent_path().empty() ? fs::path(".") : path.parent_path();
    const fs::path absolute = fs::weakly_canonical(folder, ignored);
    if (absolute.filename() == "onnx" && !fs::exists(folder / "tokenizer.json", ignored)) {
      folder = absolute.parent_path();
    }
    return {folder, path};
  }
  if (fs::exists(path, ignored)) {
    throw_bad_input(model + ": is neither a folder nor an .onnx file");
  }
  return {snapshot_of(model), {}};
}

}  // namespace embedforge
