#include "hub/hub.h"

#include <algorithm>
#include <fstream>
#include <system_error>

#include "config/model_folder.h"
#include "embedforge/error.h"
#include "hub/settings.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;

/// The snapshot that refs/main names; empty when the model isn't in the cache.
fs::path snapshot_of(const std::string& id) {
  const fs::path repository = hub_cache() / cache_folder_name(id);
  std::error_code ignored;
  if (!fs::is_directory(repository, ignored)) return {};
  if (!fs::exists(repository / "refs", ignored)) return {};  // a pull that broke off
  std::ifstream ref(repository / "refs" / "main");
  std::string revision;
  ref >> revision;
  if (!is_revision(revision) || revision.find('/') != std::string::npos) {
    throw_bad_input((repository / "refs" / "main").string() + ": missing or names no revision");
  }
  fs::path snapshot = repository / "snapshots" / revision;
  if (!fs::is_directory(snapshot, ignored)) {
    throw_bad_input(snapshot.string() + ": the revision that refs/main names is not in the cache");
  }
  return snapshot;
}

bool has_weights(const fs::path& snapshot) {
  for (const fs::path& folder : {snapshot, snapshot / "0_Transformer"}) {
    if (has_any(folder, weight_names())) return true;
  }
  return false;
}

fs::path cached_or_pulled(const std::string& id, PullWhat what) {
  fs::path snapshot = snapshot_of(id);
  const bool cached = !snapshot.empty() &&
                      (what == PullWhat::kOnnx
                           ? fs::exists(snapshot / "onnx") || fs::exists(snapshot / "model.onnx")
                           : has_weights(snapshot));
  if (cached) return snapshot;
  const bool offline = hub_settings().offline;
  const bool has_owner = id.find('/') != std::string::npos;  // else it may be a mistyped folder
  if (offline || !has_owner) {
    if (!snapshot.empty()) return snapshot;
    throw_bad_input(
        id + ": no such folder or .onnx file, and no such model in the cache " +
        hub_cache().string() +
        (offline ? " (HF_HUB_OFFLINE is set)" : "; embedforge pull " + id + " brings it"));
  }
  try {
    return pull(id, {.what = what}).folder;
  } catch (const Error&) {
    if (snapshot.empty()) throw;
    return snapshot;  // what is missing there is said by whoever needs it
  }
}

}  // namespace

fs::path ResolvedModel::onnx(const std::string& named) const {
  return named.empty() && !file.empty() ? file : find_onnx(folder, named);
}

std::string cache_folder_name(const std::string& id) {
  if (!is_hub_id(id)) throw_bad_input("\"" + id + "\": no such folder or file, and not a hub id");
  std::string name = "models--" + id;
  if (const size_t slash = name.find('/'); slash != std::string::npos) name.replace(slash, 1, "--");
  return name;
}

ResolvedModel resolve_model(const std::string& model, PullWhat what) {
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
  return {cached_or_pulled(model, what), {}};
}

}  // namespace embedforge
