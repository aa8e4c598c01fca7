#include "backends/ort_library.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <sstream>

#include "embedforge/error.h"

namespace embedforge::ort {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

/// libonnxruntime.so or libonnxruntime.so.1.32.0 in a folder, the last by name.
std::optional<fs::path> library_in(const fs::path& folder) {
  std::optional<fs::path> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("libonnxruntime.so") && (!found || *found < entry.path()))
      found = entry.path();
  }
  return found;
}

/// The onnxruntime packages of the Python environments that the shell would use: the active virtual
/// environment, then the one of each python3 on PATH.
std::vector<fs::path> python_folders() {
  std::vector<fs::path> prefixes;
  for (const char* name : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    if (const std::string prefix = environment(name); !prefix.empty())
      prefixes.emplace_back(prefix);
  }
  std::istringstream path(environment("PATH"));
  for (std::string folder; std::getline(path, folder, ':');) {
    std::error_code ignored;
    if (!folder.empty() && fs::exists(fs::path(folder) / "python3", ignored))
      prefixes.push_back(fs::path(folder).parent_path());
  }
  if (const std::string home = environment("HOME"); !home.empty())
    prefixes.push_back(fs::path(home) / ".local");
  std::vector<fs::path> folders;
  for (const fs::path& prefix : prefixes) {
    std::error_code ignored;
    for (const auto& python : fs::directory_iterator(prefix / "lib", ignored)) {
      if (!python.path().filename().string().starts_with("python3")) continue;
      for (const char* packages : {"site-packages", "dist-packages"})
        folders.push_back(python.path() / packages / "onnxruntime" / "capi");
    }
  }
  return folders;
}

struct Opened {
  std::string path;
  void* handle = nullptr;
};

Opened open_file(const fs::path& path) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = dlerror();
    throw_not_supported(path.string() + ": can't be loaded as ONNX Runtime: " +
                        (reason != nullptr ? reason : "unknown reason"));
  }
  return {path.string(), handle};
}

Opened open_wanted(const std::string& wanted, const std::string& who) {
  std::error_code ignored;
  if (!fs::is_directory(wanted, ignored)) return open_file(wanted);
  const std::optional<fs::path> file = library_in(wanted);
  if (!file) throw_not_supported(who + "=" + wanted + ": holds no libonnxruntime.so");
  return open_file(*file);
}

Opened find(const std::string& wanted) {
  if (const std::string named = environment("ONNXRUNTIME_LIB"); !named.empty())
    return open_wanted(named, "ONNXRUNTIME_LIB");
  if (!wanted.empty()) return open_wanted(wanted, "library");
  for (const char* name : {"libonnxruntime.so.1", "libonnxruntime.so"}) {
    if (void* handle = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return {name, handle};
  }
  for (const fs::path& folder : python_folders()) {
    if (const std::optional<fs::path> file = library_in(folder)) return open_file(*file);
  }
  throw_not_supported(
      "backend onnxruntime: no libonnxruntime.so found in ONNXRUNTIME_LIB, the library path or the "
      "Python environment; get it with `pip install onnxruntime` (or onnxruntime-gpu)");
}

Library load(const Opened& opened) {
  using GetBase = const ApiBase* (*)();
  const auto get_base = reinterpret_cast<GetBase>(dlsym(opened.handle, "OrtGetApiBase"));
  const ApiBase* base = get_base != nullptr ? get_base() : nullptr;
  if (base == nullptr)
    throw_not_supported(opened.path + ": is no ONNX Runtime (it has no OrtGetApiBase)");
  Library library;
  library.path = opened.path;
  library.version = base->get_version();
  void* const* table = base->get_api(kVersion);
  if (table == nullptr) {
    throw_not_supported(opened.path + ": ONNX Runtime " + library.version +
                        " is too old; 1.11 or newer is needed");
  }
  visit_places(library.api, [&](auto& function, size_t place) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(table[place]);
  });
  check(library.api, library.api.create_env(kLogErrors, "embedforge", &library.env), opened.path);
  return library;
}

}  // namespace

void check(const Api& api, Status* status, const std::string& what) {
  if (status == nullptr) return;
  const int code = api.get_error_code(status);
  const std::string message = what + ": ONNX Runtime: " + api.get_error_message(status);
  api.release_status(status);
  if (code == kNotImplemented || code == kProviderFailed) throw_not_supported(message);
  throw_bad_input(message);
}

std::vector<std::string> Library::providers() const {
  char** names = nullptr;
  int count = 0;
  check(api, api.available_providers(&names, &count), path);
  std::vector<std::string> list(names, names + count);
  check(api, api.release_available_providers(names, count), path);
  return list;
}

const Library& load_library(const std::string& wanted) {
  static std::mutex mutex;
  static std::map<std::string, Library> loaded;  // by path; pointers into it stay valid
  const std::lock_guard lock(mutex);
  const Opened opened = find(wanted);
  const auto known = loaded.find(opened.path);
  if (known != loaded.end()) return known->second;
  return loaded.emplace(opened.path, load(opened)).first->second;
}

}  // namespace embedforge::ort
