// Takes: an .onnx file and how to run it. Gives: a session of ONNX Runtime that turns padded
// batches into floats. Never: falls back to another execution provider without a word.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "backends/ort_library.h"
#include "embedforge/embedder.h"
#include "recognize/probe.h"

namespace embedforge::ort {

using recognize::InputRole;

/// An execution provider with its options, under ONNX Runtime's names.
struct Provider {
  std::string name;  // "CUDAExecutionProvider"
  std::vector<std::string> keys, values;
};

/// Those that the device asks for, first choice first; the CPU's always comes last by itself and
/// isn't among them.
std::vector<Provider> wanted_providers(const OnnxRuntimeOptions& options);

/// Texts of a batch, padded to the longest: [rows, columns].
struct PaddedBatch {
  size_t rows = 0, columns = 0;
  std::vector<int64_t> ids, mask;
  std::vector<int64_t> types;  // empty: all 0
};

struct Output {
  std::vector<int64_t> dims;
  std::vector<float> values;
};

class Session {
 public:
  /// `warn` may be empty; `output_name` as choose_output() takes it. Errors: kBadInput (a damaged
  /// file), kNotSupported (operators, inputs or outputs that can't be served), each naming the
  /// file; kUsage for an unknown level.
  Session(const Library& library, const std::filesystem::path& onnx,
          const OnnxRuntimeOptions& options, int threads,
          const std::function<void(const std::string&)>& warn, const std::string& output_name = "");

  const std::vector<std::string>& inputs() const { return inputs_; }
  const std::vector<std::string>& outputs() const { return outputs_; }
  const std::vector<std::string>& providers() const { return providers_; }
  const Library& library() const { return *library_; }
  /// True: run() gives [rows, width]; the graph pools by itself. False: [rows, columns, width].
  bool pooled() const { return rank_ == 2; }
  /// True: what run() gives are the logits of a cross-encoder.
  bool scores() const { return rank_ == 2 && output_ == "logits"; }
  /// False: the graph knows no padding, so that a batch's sequences must be of one length.
  bool masks() const { return std::ranges::find(roles_, InputRole::kMask) != roles_.end(); }
  size_t width() const { return width_; }

  /// Thread-safe. Errors: kBadInput with ONNX Runtime's reason.
  Output run(const PaddedBatch& batch) const;

 private:
  void open(const OnnxRuntimeOptions& options, int threads,
            const std::function<void(const std::string&)>& warn);
  void read_inputs();
  void find_output(const std::string& wanted);

  const Library* library_;
  std::string file_;
  Handle<RawSession> session_;
  std::vector<std::string> inputs_, outputs_, providers_;
  std::vector<InputRole> roles_;  // of the inputs
  std::vector<int> input_types_;
  std::string output_;  // the one that is read
  size_t rank_ = 0;
  size_t width_ = 0;
};

}  // namespace embedforge::ort
