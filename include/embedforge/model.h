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
  /// Told in one line which keys of the folder's files nobody here knows.
  std::function<void(const std::string&)> warn;
  bool strict = false;  // such a key is an error (kNotSupported)
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
/// that its CPU provider has, kAll also shares equal weights and keeps norms in the form that this
/// provider computes fastest.
enum class OptimizeLevel { kNone, kBasic, kExtended, kAll };

/// "none", "basic", "extended", "all"; optimize_level_of throws kUsage for other names.
const char* optimize_level_name(OptimizeLevel level);
OptimizeLevel optimize_level_of(const std::string& name);

struct OptimizeOptions {
  OptimizeLevel level = OptimizeLevel::kExtended;
  std::vector<std::string> disabled;             // names of passes, as list_passes() gives them
  std::function<void(const std::string&)> tell;  // as EmbedderOptions::tell
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

enum class QuantizeMethod { kDynamic, kStatic };

/// How a constant range of an activation is found (kStatic): the bounds with the least squared
/// error; its smallest and largest value; the bounds that keep its distribution best
/// (Kullback-Leibler); or all but a few outliers.
enum class CalibrateMethod { kLeastError, kMinMax, kEntropy, kPercentile };

/// What stands in where no calibration texts are given.
enum class DefaultTexts {
  kQuick,  // some of the library's own, weights rounded to nearest; kStatic: as kFull
  kFull,   // the library's own, as if they had been given
  kNone,   // random tokens, which show the largest channels at least (not for kStatic)
};

struct QuantizeOptions {
  QuantizeMethod method = QuantizeMethod::kDynamic;
  std::filesystem::path output;  // empty: onnx/model_qint8_METHOD.onnx of the folder
  /// Texts like those that the model will see. With them the weights are rounded by what they are
  /// multiplied with.
  std::vector<std::string> calibration;
  DefaultTexts default_texts = DefaultTexts::kQuick;
  size_t samples = 100;  // texts that are used for it at most; others are for the report
  CalibrateMethod calibrate_method = CalibrateMethod::kLeastError;
  /// Weights of which no neighbours can saturate 16 bits, stored as int8: faster in ONNX Runtime on
  /// AVX2 without VNNI; a little less near to the float model. Static files always have them.
  bool reduce_range = false;
  /// The mean cosine to the float model that is asked for; the fewest products that reach it stay
  /// float. 0: none is asked for.
  double target_cosine = 0;
  std::vector<std::string> excluded;             // names of MatMul nodes that stay float
  int threads = 0;                               // 0: all that this process may use
  std::function<void(const std::string&)> tell;  // as EmbedderOptions::tell
  /// Called with what is being done, and how much of it of how much is finished.
  std::function<void(const std::string&, size_t, size_t)> progress;
};

struct QuantizedLayer {
  std::string node;
  double error = 0;  // |x w - x' w'| / |x w| over the calibration texts; 0 without them
  int64_t float_channels = 0;
};

/// A product that stays float for the sake of target_cosine.
struct FloatLayer {
  std::string node;
  double gain = 0;     // of the mean cosine, when it alone stays float
  uint64_t bytes = 0;  // that the file is larger for it
};

struct QuantizeResult {
  std::filesystem::path model;
  uint64_t original_bytes = 0, bytes = 0;
  std::vector<QuantizedLayer> layers;
  std::vector<FloatLayer> kept_float;  // those that gain most first
  size_t float_products = 0;           // that stay as they were, kept_float included
  size_t calibration_texts = 0;        // that the decisions were made with
  bool own_texts = false;              // they were the library's
  std::string note;                    // why texts were not used, where they should have been
  bool target_reached = true;
  /// Cosine to the float model's sentence embeddings, of texts that were not calibrated with, in
  /// ascending order. Empty for a graph that the native engine can't run.
  std::vector<double> cosines;
};

/// Quantizes a model folder's onnx/model.onnx (or `model`, an .onnx file) to 8-bit integers:
/// weights with a scale per output channel; activations with a scale and offset per token computed
/// as the model runs (kDynamic), or with a constant one (kStatic: QuantizeLinear and
/// DequantizeLinear before each product); embedding tables with a scale per row. The file has
/// standard operators only, and tells in its metadata how it was made and what cosine it kept.
/// Errors: kBadInput (quantized already, not finite, fewer than 10 calibration texts, output that
/// can't be written), kNotSupported (a graph that can't be calibrated here, with kStatic or given
/// texts), kUsage (an excluded node that isn't there, options that contradict each other).
QuantizeResult quantize(const std::string& model, const QuantizeOptions& options = {});

}  // namespace embedforge
