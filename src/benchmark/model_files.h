// Takes: a model as it was named. Gives: a folder with its float32, fused and int8 files, made
// where they are missing. Never: writes into the model's own folder.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

namespace embedforge::benchmarking {

struct ModelFiles {
  std::filesystem::path work;  // for the files that the peers make
  std::filesystem::path folder;
  std::filesystem::path float32;  // onnx/model.onnx
  std::filesystem::path fused;    // onnx/model_all.onnx; empty when the graph can't be optimized
  std::filesystem::path int8;     // onnx/model_qint8_dynamic.onnx; empty when it can't be made
  std::string int8_reason;
};

/// The folder is in the cache (EMBEDFORGE_CACHE, else ~/.cache/embedforge), named after the
/// model's, and made anew when the model's file has changed. It has links to the model's files; a
/// checkpoint without an .onnx file is converted. Errors: those of convert().
ModelFiles make_model_files(const std::string& model,
                            const std::function<void(const std::string&)>& progress);

}  // namespace embedforge::benchmarking
