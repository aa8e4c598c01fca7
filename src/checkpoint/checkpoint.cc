#include "checkpoint/checkpoint.h"

#include <array>
#include <set>
#include <utility>

#include "config/json_file.h"
#include "embedforge/error.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;

TensorMap read_file(const fs::path& path) {
  return path.extension() == ".bin" ? read_torch_bin(path) : read_safetensors(path);
}

void add_file(const fs::path& path, Checkpoint& checkpoint) {
  TensorMap tensors = read_file(path);
  checkpoint.files.push_back(path);
  checkpoint.file_bytes += fs::file_size(path);
  for (auto& [name, tensor] : tensors) {
    if (!checkpoint.tensors.emplace(name, std::move(tensor)).second) {
      throw_bad_input(path.string() + ": tensor \"" + name + "\" is in another shard, too");
    }
  }
}

/// The shards of an index's weight_map, which must lie in the folder itself.
std::set<std::string> shards_of(const fs::path& path) {
  const JsonFile index = JsonFile::read(path);
  const nlohmann::json* map = index.find("weight_map");
  if (map == nullptr || !map->is_object() || map->empty()) {
    throw_bad_input(path.string() + ": field \"weight_map\" must name a file for each tensor");
  }
  std::set<std::string> shards;
  for (const auto& [tensor, file] : map->items()) {
    const std::string name = file.is_string() ? file.get<std::string>() : "";
    if (name.empty() || name.find('/') != std::string::npos || name == "..") {
      throw_bad_input(path.string() + ": the file of tensor \"" + tensor +
                      "\" must be a file name");
    }
    shards.insert(name);
  }
  return shards;
}

}  // namespace

Checkpoint read_checkpoint(const fs::path& folder) {
  static constexpr std::array<const char*, 4> kNames = {
      "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
      "pytorch_model.bin.index.json"};
  Checkpoint checkpoint;
  for (const char* name : kNames) {
    const fs::path path = folder / name;
    std::error_code ignored;
    if (!fs::exists(path, ignored)) continue;
    if (path.extension() != ".json") {
      add_file(path, checkpoint);
    } else {
      for (const std::string& shard : shards_of(path)) {
        if (!fs::exists(folder / shard, ignored)) {
          throw_bad_input((folder / shard).string() + ": missing, and " + name +
                          " names it; bring the whole checkpoint");
        }
        add_file(folder / shard, checkpoint);
      }
    }
    return checkpoint;
  }
  throw_bad_input(
      folder.string() +
      ": has no weights: neither model.safetensors nor pytorch_model.bin (or the .index.json "
      "of their shards)");
}

}  // namespace embedforge
