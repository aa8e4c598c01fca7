#include "backends/find_onnx.h"

#include "embedforge/error.h"

namespace embedforge {

namespace fs = std::filesystem;

fs::path find_onnx(const ResolvedModel& model, const std::string& file) {
  if (!file.empty()) {
    fs::path path = model.folder / file;
    if (!fs::is_regular_file(path))
      throw_bad_input(path.string() +
                      ": no such file; give file= as a path within the model folder");
    return path;
  }
  if (!model.file.empty()) return model.file;
  for (const char* name : {"onnx/model.onnx", "model.onnx"}) {
    if (fs::is_regular_file(model.folder / name)) return model.folder / name;
  }
  throw_bad_input(model.folder.string() +
                  ": has no onnx/model.onnx; make one with `embedforge convert " +
                  model.folder.string() + " -o DIR`");
}

}  // namespace embedforge
