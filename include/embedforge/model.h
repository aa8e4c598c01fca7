// Model files in, model files out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace embedforge {

struct ConvertOptions {
  int opset = 17;  // 17 to 20
  bool with_pooling =
      false;  // adds the output sentence_embedding, pooled and normalized as the folder's files say
};

struct WrittenFile {
  std::filesystem::path path;
  uint64_t bytes = 0;
};

struct ConvertResult {
  std::filesystem::path model;     // the folder's onnx/model.onnx
  uint64_t checkpoint_bytes = 0;   // of the weight files that were read
  std::vector<WrittenFile> files;  // every file written, the model first
};

/// Makes the model folder `out` from a checkpoint of the BERT family: onnx/model.onnx (float32)
/// with tokenizer and sentence-transformers files beside it, so that it loads here, in
/// sentence-transformers and in ONNX Runtime. `model`: a folder with config.json and
/// model.safetensors or pytorch_model.bin, or a hub id that is in the local cache. Errors:
/// kBadInput and kNotSupported with the file, field or tensor; kUsage for an opset out of range.
ConvertResult convert(const std::string& model, const std::filesystem::path& out,
                      const ConvertOptions& options = {});

}  // namespace embedforge
