// Model files in, model files out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
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
struct QuantizeOptions {
  std::filesystem::path output;  // empty: onnx/model_qint8_dynamic.onnx of the folder
  /// Texts like those that the model will see. With them the weights are rounded by what they are
  /// multiplied with, and a few channels with outliers stay float.
  std::vector<std::string> calibration;
  size_t samples = 100;  // texts that are used for it at most; others are for the report
  std::vector<std::string> excluded;  // names of MatMul nodes that stay float
  int threads = 0;                    // 0: all that this process may use
  /// Called with the number of finished products, and of all.
  std::function<void(size_t, size_t)> progress;
};

struct QuantizedLayer {
  std::string node;
  double error = 0;  // |x w - x' w'| / |x w| over the calibration texts; 0 without them
  int64_t float_channels = 0;
};

struct QuantizeResult {
  std::filesystem::path model;
  uint64_t original_bytes = 0, bytes = 0;
  std::vector<QuantizedLayer> layers;
  size_t float_products = 0;     // that stay as they were
  size_t calibration_texts = 0;  // used for rounding
  /// Cosine to the float model's sentence embeddings, of texts that were not used for rounding, in
  /// ascending order. Empty without texts.
  std::vector<double> cosines;
};

/// Quantizes a model folder's onnx/model.onnx (or `model`, an .onnx file) to 8-bit integers:
/// weights with a scale per output channel, activations with a scale and offset per token computed
/// as the model runs ("dynamic"), embedding tables with a scale per row. The file has standard
/// operators only. Errors: kBadInput (quantized already, not finite, fewer than 10 calibration
/// texts, output that can't be written), kNotSupported (a graph that the native engine can't run,
/// with calibration), kUsage (an excluded node that isn't there).
QuantizeResult quantize(const std::string& model, const QuantizeOptions& options = {});

}  // namespace embedforge
