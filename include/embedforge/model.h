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

/// ONNX Runtime's meaning: kBasic has standard operators only, kExtended those of com.microsoft
/// that its CPU provider has, kAll also shares equal weights.
enum class OptimizeLevel { kNone, kBasic, kExtended, kAll };

/// "none", "basic", "extended", "all"; optimize_level_of throws kUsage for other names.
const char* optimize_level_name(OptimizeLevel level);
OptimizeLevel optimize_level_of(const std::string& name);

struct OptimizeOptions {
  OptimizeLevel level = OptimizeLevel::kExtended;
  std::vector<std::string> disabled;  // names of passes, as list_passes() gives them
};

struct PassInfo {
  std::string name;
  OptimizeLevel level;  // the lowest that runs it
  std::string intent;
};

/// Every pass, in the order in which they run.
std::vector<PassInfo> list_passes();

struct PassReport {
  std::string name;
  double seconds = 0;
  int64_t removed = 0;    // nodes; negative when it added some
  int64_t rewritten = 0;  // nodes that are another operator than before
};

struct OptimizeResult {
  std::filesystem::path source;
  std::filesystem::path model;
  std::vector<WrittenFile> files;  // every file written, the model first
  int64_t nodes_before = 0;
  int64_t nodes_after = 0;
  double seconds = 0;  // reading and writing included
  std::vector<PassReport> passes;
};

/// Rewrites a graph so that it computes the same with fewer, larger operators. `model`: a folder or
/// hub id, of which onnx/model.onnx is read (or `input`, a path of its own or within the folder),
/// or an .onnx file. `out`: the file to write; "" is model_LEVEL.onnx beside the input. kNone
/// copies. What no pass knows (subgraphs, functions, other domains) stays as it is. Errors:
/// kBadInput with the file and node (cycles, missing values, damaged files); kUsage for an unknown
/// pass.
OptimizeResult optimize(const std::string& model, const std::filesystem::path& out = {},
                        const OptimizeOptions& options = {},
                        const std::filesystem::path& input = {});

}  // namespace embedforge
