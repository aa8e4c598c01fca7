#include "benchmark/model_files.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "base/atomic_file.h"
#include "base/cache_folder.h"
#include "embedforge/error.h"
#include "embedforge/model.h"
#include "engine/pack_cache.h"
#include "hub/hub.h"

namespace embedforge::benchmarking {
namespace {

namespace fs = std::filesystem;

/// A file that an earlier run made here gives way to the model's own of that name.
void link(const fs::path& target, const fs::path& at) {
  if (fs::is_symlink(at) && fs::exists(at)) return;
  fs::remove(at);
  fs::create_symlink(fs::canonical(target), at);
}

/// Links to everything in the folder but onnx/; with `onnx` false no .onnx files either.
void link_all(const fs::path& from, const fs::path& to, bool onnx) {
  for (const fs::directory_entry& entry : fs::directory_iterator(from)) {
    const fs::path name = entry.path().filename();
    if (name != "onnx" && (onnx || name.extension() != ".onnx")) link(entry.path(), to / name);
  }
}

/// The file that the model's files are made from.
fs::path origin(const ResolvedModel& source) {
  if (!source.file.empty()) return source.file;
  for (const char* name : {"onnx/model.onnx", "model.onnx", "model.safetensors", "config.json"}) {
    if (fs::exists(source.folder / name)) return source.folder / name;
  }
  throw_bad_input(source.folder.string() + ": has no model in it (no config.json, no .onnx file)");
}

/// An empty folder, or what an earlier run has left there for the very same file.
fs::path work_folder(const fs::path& origin) {
  const fs::path cache = cache_folder().value_or(fs::temp_directory_path() / "embedforge-cache");
  fs::path folder = cache / fmt::format("bench-{:016x}", std::hash<std::string>{}(origin.string()));
  const std::string key = pack_key(origin, "", "");
  const fs::path note = folder / "made-from.txt";
  std::ifstream in(note);
  if (std::string{std::istreambuf_iterator<char>(in), {}} == key) return folder;
  fs::remove_all(folder);
  fs::create_directories(folder / "model" / "onnx");
  AtomicFile file(note);
  file.write(key);
  file.commit();
  return folder;
}

}  // namespace

ModelFiles make_model_files(const std::string& model,
                            const std::function<void(const std::string&)>& progress) {
  const ResolvedModel source = resolve_model(model);
  const fs::path from = origin(source);
  ModelFiles out{.work = work_folder(fs::canonical(from))};
  out.folder = out.work / "model";
  const fs::path onnx = out.folder / "onnx";
  out.float32 = onnx / "model.onnx";
  if (from.extension() == ".onnx") {
    link(from, out.float32);
    link_all(source.folder, out.folder, false);
    link_all(from.parent_path(), onnx, from.filename() == "model.onnx");
  } else if (!fs::exists(out.float32)) {
    progress("converting " + model);
    convert(model, out.folder);
  }
  out.fused = onnx / "model_all.onnx";
  out.int8 = onnx / "model_qint8_dynamic.onnx";
  try {
    if (!fs::exists(out.fused)) optimize(out.folder.string(), out.fused, {OptimizeLevel::kAll});
  } catch (const Error&) {
    out.fused.clear();
  }
  try {
    if (!fs::exists(out.int8)) {
      progress("quantizing, with the texts that come with the command");
      quantize(out.folder.string(), {.output = out.int8, .default_texts = DefaultTexts::kFull});
    }
  } catch (const Error& error) {
    out.int8.clear();
    out.int8_reason = error.what();
  }
  return out;
}

}  // namespace embedforge::benchmarking
