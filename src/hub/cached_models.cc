#include <algorithm>
#include <fstream>
#include <map>

#include "embedforge/hub.h"
#include "hub/hub.h"
#include "hub/settings.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;

/// "models--owner--name" -> "owner/name"
std::string id_of(const std::string& folder) {
  std::string id = folder.substr(std::string("models--").size());
  if (const size_t at = id.find("--"); at != std::string::npos) id.replace(at, 2, "/");
  return id;
}

/// Commit -> the branch or tag that names it.
std::map<std::string, std::string> read_refs(const fs::path& folder) {
  std::map<std::string, std::string> out;
  std::error_code problem;
  for (fs::recursive_directory_iterator it(folder, problem), end; !problem && it != end;
       it.increment(problem)) {
    if (!it->is_regular_file(problem)) continue;
    std::string commit;
    std::ifstream(it->path()) >> commit;
    out[commit] = it->path().lexically_relative(folder).string();
  }
  return out;
}

CachedModel describe(const std::string& id, const fs::path& snapshot, const std::string& revision) {
  CachedModel out{id, revision, snapshot};
  std::error_code problem;
  for (fs::recursive_directory_iterator it(snapshot, problem), end; !problem && it != end;
       it.increment(problem)) {
    std::error_code missing;
    if (!fs::is_regular_file(it->path(), missing)) continue;
    const uint64_t bytes = fs::file_size(it->path(), missing);
    if (!missing) out.bytes += bytes;
    const fs::path kind = it->path().extension();
    out.has_onnx = out.has_onnx || kind == ".onnx";
    out.has_weights = out.has_weights || kind == ".safetensors" || kind == ".bin";
  }
  return out;
}

}  // namespace

std::vector<CachedModel> cached_models() {
  std::vector<CachedModel> out;
  std::error_code problem;
  for (const fs::directory_entry& entry : fs::directory_iterator(hub_cache(), problem)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("models--") || !entry.is_directory(problem)) continue;
    const auto refs = read_refs(entry.path() / "refs");
    for (const fs::directory_entry& snapshot :
         fs::directory_iterator(entry.path() / "snapshots", problem)) {
      const std::string commit = snapshot.path().filename().string();
      const auto ref = refs.find(commit);
      out.push_back(describe(id_of(name), snapshot.path(),
                             ref == refs.end() ? commit.substr(0, 12) : ref->second));
    }
  }
  std::ranges::sort(out, {}, &CachedModel::id);
  return out;
}

}  // namespace embedforge
