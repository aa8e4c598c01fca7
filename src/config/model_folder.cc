#include "config/model_folder.h"

#include <algorithm>
#include <array>

#include "embedforge/error.h"

namespace embedforge {

namespace fs = std::filesystem;

namespace {

/// This package's own ending, and that of Optimum.
constexpr std::array kDataEndings = {".data", "_data"};

/// The .onnx files of one folder, sorted.
std::vector<fs::path> onnx_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code missing;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, missing)) {
    if (entry.path().extension() == ".onnx") found.push_back(entry.path());
  }
  std::ranges::sort(found);
  return found;
}

}  // namespace

std::span<const char* const> onnx_names() {
  static constexpr std::array kNames = {"onnx/model.onnx", "model.onnx"};
  return kNames;
}

std::span<const char* const> weight_names() {
  static constexpr std::array kNames = {"model.safetensors", "model.safetensors.index.json",
                                        "pytorch_model.bin", "pytorch_model.bin.index.json"};
  return kNames;
}

bool has_any(const fs::path& folder, std::span<const char* const> names) {
  std::error_code ignored;
  return std::ranges::any_of(names,
                             [&](const char* name) { return fs::exists(folder / name, ignored); });
}

fs::path find_onnx(const fs::path& folder, const std::string& file) {
  if (!file.empty()) {
    for (const fs::path& path : {folder / file, fs::path(file)}) {
      if (fs::is_regular_file(path)) return path;
    }
    throw_bad_input((folder / file).string() +
                    ": no such file; name a path within the model folder");
  }
  for (const char* name : onnx_names()) {
    if (fs::is_regular_file(folder / name)) return folder / name;
  }
  std::vector<fs::path> found = onnx_in(folder);
  if (found.empty()) found = onnx_in(folder / "onnx");
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    throw_bad_input(
        folder.string() +
        ": No ONNX file found (no onnx/model.onnx); make one with `embedforge convert " +
        folder.string() + " -o DIR`");
  }
  std::string names;
  for (const fs::path& path : found)
    names += (names.empty() ? "" : ", ") + path.lexically_relative(folder).string();
  throw_bad_input(folder.string() + ": has no onnx/model.onnx but several others (" + names +
                  "); choose one by its path within the folder");
}

bool is_external_data(std::string_view path, std::string_view onnx) {
  return path.starts_with(onnx) &&
         std::ranges::find(kDataEndings, path.substr(onnx.size())) != std::end(kDataEndings);
}

std::vector<WrittenFile> onnx_files(const fs::path& onnx) {
  std::vector<WrittenFile> files;
  for (const std::string& path :
       {onnx.string(), onnx.string() + kDataEndings[0], onnx.string() + kDataEndings[1]}) {
    std::error_code missing;
    const uint64_t bytes = fs::file_size(path, missing);
    if (!missing) files.push_back({path, bytes});
  }
  return files;
}

uint64_t onnx_bytes(const fs::path& onnx) {
  uint64_t total = 0;
  for (const WrittenFile& file : onnx_files(onnx)) total += file.bytes;
  return total;
}

}  // namespace embedforge
