#include "convert/converted_model.h"

#include <fmt/format.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/cache_folder.h"
#include "config/model_folder.h"
#include "embedforge/error.h"
#include "embedforge/model.h"
#include "embedforge/version.h"
#include "hub/file_lock.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;

bool has_onnx(const fs::path& folder) {
  for (const fs::path& place : {folder, folder / "onnx"}) {
    std::error_code missing;
    for (const fs::directory_entry& entry : fs::directory_iterator(place, missing)) {
      if (entry.path().extension() == ".onnx") return true;
    }
  }
  return false;
}

/// A checkpoint's weights in the folder, or in the one of its first module.
bool has_checkpoint(const fs::path& folder) {
  return has_any(folder, weight_names()) || has_any(folder / "0_Transformer", weight_names());
}

/// The files of the folder by name, each with what tells its content: the blob of the hub's cache
/// that it links to (named by its hash), else size and time of change.
std::string state_of(const fs::path& folder) {
  std::vector<std::string> lines;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    const fs::path real = fs::canonical(entry.path());
    std::string state = fmt::format("{} {}", entry.path().lexically_relative(folder).string(),
                                    real.filename().string());
    if (!entry.is_symlink()) {
      state += fmt::format(" {} {}", entry.file_size(),
                           entry.last_write_time().time_since_epoch().count());
    }
    lines.push_back(std::move(state));
  }
  std::ranges::sort(lines);
  std::string all = fmt::format("embedforge {}\n", kVersion);
  for (const std::string& line : lines) all += line + "\n";
  return all;
}

/// "owner--name" of a model in the hub's cache (models--owner--name/snapshots/COMMIT); of another
/// folder its last part and a hash of where it lies.
std::string cache_name(const fs::path& folder) {
  const fs::path whole = fs::canonical(folder);
  const std::string repository = whole.parent_path().parent_path().filename().string();
  constexpr std::string_view kModels = "models--";
  if (whole.parent_path().filename() == "snapshots" && repository.starts_with(kModels))
    return repository.substr(kModels.size());
  const std::string name = whole.string();
  return fmt::format("{}-{:08x}", whole.filename().string(),
                     XXH3_64bits(name.data(), name.size()) & 0xFFFFFFFFU);
}

/// Converts beside `target` and renames, so that it is whole or not there.
void convert_into(const std::string& model, const fs::path& target) {
  const fs::path partial = target.string() + ".partial-" + std::to_string(getpid());
  std::error_code ignored;
  try {
    convert(model, partial);
    fs::remove_all(target, ignored);
    fs::rename(partial, target);
  } catch (const fs::filesystem_error& error) {
    fs::remove_all(partial, ignored);
    throw_bad_input(target.string() + ": " + error.code().message());
  } catch (const std::exception&) {
    fs::remove_all(partial, ignored);
    throw;
  }
}

}  // namespace

ResolvedModel resolve_converted(const std::string& model, const std::string& file,
                                const std::function<void(const std::string&)>& tell) {
  ResolvedModel resolved = resolve_model(model, PullWhat::kOnnx, file);
  const fs::path& folder = resolved.folder;
  if (!resolved.file.empty() || !file.empty() || has_onnx(folder) || !has_checkpoint(folder))
    return resolved;
  const auto cache = cache_folder();
  if (!cache) {
    throw_bad_input(folder.string() +
                    ": has a checkpoint and no .onnx file, and EMBEDFORGE_CACHE is empty, so that "
                    "there is no place for its conversion; make one with `embedforge convert " +
                    model + " -o DIR`");
  }
  const std::string state = state_of(folder);
  const fs::path target = *cache / "models" / cache_name(folder) /
                          fmt::format("{:016x}", XXH3_64bits(state.data(), state.size()));
  std::error_code ignored;
  if (!has_onnx(target)) {
    fs::create_directories(target.parent_path(), ignored);
    const FileLock lock(target.string() + ".lock");
    if (!has_onnx(target)) {
      convert_into(model, target);
      if (tell) tell(model + ": converted its checkpoint to ONNX, kept in " + target.string());
    }
  }
  return {target, {}};
}

}  // namespace embedforge
