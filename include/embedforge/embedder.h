// Text in, embeddings out. Thread-safe once loaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace embedforge {

/// Row-major floats.
struct Matrix {
  size_t rows = 0;
  size_t columns = 0;
  std::vector<float> values;

  std::span<const float> row(size_t i) const { return {values.data() + i * columns, columns}; }
};

enum class Pooling { kMean, kCls, kMax, kLast };

/// What a float32 file's linear layers are computed in. kAuto: as the file says.
enum class Precision { kAuto, kFloat32, kBfloat16, kInt8 };

struct EmbedderOptions {
  std::string file;  // the .onnx file within the model folder; "": onnx/model.onnx, then model.onnx
  std::string tokenizer;  // a folder with tokenizer.json; "": the model folder
  int threads = 0;        // 0: what the processor's affinity and the container's quota allow
  int max_length = 0;     // tokens a text, special ones included; 0: as the model says
  std::optional<Pooling> pooling;  // nullopt: as the model says
  Precision precision = Precision::kAuto;
};

struct EncodeOptions {
  bool normalize = true;    // L2
  size_t batch_size = 32;   // texts taken up at once; the result doesn't depend on it
  std::string prompt_name;  // of config_sentence_transformers.json
  std::string prompt;       // put before each text; wins over prompt_name
  size_t dimensions = 0;    // cut to this many, then normalize again; 0: all
};

class Embedder {
 public:
  /// `model`: a hub id that is in the local cache, a folder, or an .onnx file.
  /// Errors: kBadInput, kNotSupported; the message names the file, node, tensor or field.
  static Embedder load(const std::string& model, const EmbedderOptions& options = {});

  Embedder(Embedder&&) noexcept;
  Embedder& operator=(Embedder&&) noexcept;
  ~Embedder();

  /// One row a text, `dimension()` columns; an empty list gives a (0, d) matrix. Errors: kBadInput
  /// for invalid UTF-8 (the text's index).
  Matrix encode(std::span<const std::string_view> texts, const EncodeOptions& options = {}) const;
  Matrix encode(std::span<const std::string> texts, const EncodeOptions& options = {}) const;
  size_t dimension() const;
  size_t max_length() const;
  int threads() const;
  std::string model_path() const;  // the .onnx file in use

 private:
  struct Impl;
  explicit Embedder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace embedforge
