#include "hub/hub.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <system_error>

#include "base/nearest.h"
#include "config/model_folder.h"
#include "embedforge/error.h"
#include "hub/needs.h"
#include "hub/settings.h"
#include "hub/short_names.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;

/// The revisions of the model that the cache has, for messages.
std::string cached_revisions(const fs::path& repository) {
  std::string names;
  std::error_code problem;
  for (const auto& entry : fs::directory_iterator(repository / "refs", problem))
    names += (names.empty() ? "" : ", ") + entry.path().filename().string();
  return names;
}

/// The snapshot that refs/main names; empty when the model isn't in the cache.
fs::path snapshot_of(const std::string& id, bool offline) {
  const fs::path repository = hub_cache() / cache_folder_name(id);
  std::error_code ignored;
  if (!fs::exists(repository / "refs" / "main", ignored)) {
    const std::string others = cached_revisions(repository);
    if (!offline || others.empty()) return {};
    throw_bad_input(repository.string() + ": has no revision main, only " + others +
                    " (HF_HUB_OFFLINE is set)");
  }
  std::ifstream ref(repository / "refs" / "main");
  std::string revision;
  ref >> revision;
  if (!is_revision(revision) || revision.find('/') != std::string::npos) {
    throw_bad_input((repository / "refs" / "main").string() + ": missing or names no revision");
  }
  fs::path snapshot = repository / "snapshots" / revision;
  if (!fs::is_directory(snapshot, ignored)) {
    if (!offline) return {};
    throw_bad_input(snapshot.string() + ": the revision that refs/main names is not in the cache");
  }
  return snapshot;
}

struct Lack {
  std::string names;        // that the snapshot lacks, or may lack, for messages; "" for nothing
  bool maybe_onnx = false;  // as in Needs
};

Lack lacking(const std::string& id, const fs::path& snapshot, PullWhat what,
             const std::string& file) {
  const auto there = [&](const std::string& path) {
    std::error_code ignored;
    return fs::is_regular_file(snapshot / path, ignored);
  };
  // Who brings a whole repository brings this file, and nobody asks for it alone.
  const bool whole = there(".gitattributes");
  const fs::path absent = snapshot.parent_path().parent_path() / ".no_exist" / snapshot.filename();
  const RepositoryView view{
      .name = id,
      .has = [&](const std::string& path) -> std::optional<bool> {
        if (there(path)) return true;
        std::error_code ignored;
        if (whole || fs::exists(absent / path, ignored)) return false;
        return std::nullopt;
      },
      .list =
          [&] {
            std::vector<std::string> out;
            for (const auto& entry : fs::recursive_directory_iterator(snapshot)) {
              if (!entry.is_directory())
                out.push_back(entry.path().lexically_relative(snapshot).generic_string());
            }
            return out;
          },
      .get = [&](const std::string& path) { return there(path) ? snapshot / path : fs::path(); }};
  const Needs needs = needed_files(view, what, file);
  Lack out{.maybe_onnx = needs.maybe_onnx};
  const auto add = [&](const std::string& path) {
    out.names += (out.names.empty() ? "" : ", ") + path;
  };
  for (const std::string& path : needs.files) {
    if (!there(path)) add(path);
  }
  for (const std::string& path : needs.unknown) add(path);
  return out;
}

/// What the cache has of nearly that name, for messages.
std::string suggestion(const std::string& id) {
  std::vector<std::string> ids;
  for (const CachedModel& model : cached_models()) ids.push_back(model.id);
  return did_you_mean(id, ids);
}

fs::path cached_or_pulled(const std::string& id, PullWhat what, const std::string& named) {
  std::error_code ignored;
  const std::string file = fs::is_regular_file(named, ignored) ? "" : named;
  const bool offline = hub_settings().offline;
  fs::path snapshot = snapshot_of(id, offline);
  Lack missing;
  if (!snapshot.empty()) {
    try {
      missing = lacking(id, snapshot, what, file);
    } catch (const Error& error) {
      if (offline) throw;
      missing.names = error.what();
    }
    if (missing.names.empty() && (offline || !missing.maybe_onnx)) return snapshot;
  }
  if (snapshot.empty() && offline) {
    throw_bad_input(id + ": no such folder or .onnx file, and no such model in the cache " +
                    hub_cache().string() + " (HF_HUB_OFFLINE is set)" + suggestion(id));
  }
  if (offline) {
    throw_bad_input(snapshot.string() + ": lacks, as far as the cache knows: " + missing.names +
                    " (HF_HUB_OFFLINE is set); embedforge pull " + id + " brings what there is");
  }
  try {
    return pull(id, {.what = what, .file = file}).folder;
  } catch (const Error& error) {
    if (snapshot.empty()) {
      throw Error(error.code(), id + ": no such folder or .onnx file, and as a hub id: " +
                                    error.what() + suggestion(id));
    }
    if (missing.names.empty()) return snapshot;
    throw Error(error.code(), std::string(error.what()) + "; the cache lacks " + missing.names);
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

ResolvedModel resolve_model(const std::string& model, PullWhat what, const std::string& file) {
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
  return {cached_or_pulled(whole_id(model), what, file), {}};
}

}  // namespace embedforge
