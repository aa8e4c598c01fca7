// Takes: a Graph. Gives: the .onnx file, that onnx.checker and ONNX Runtime accept, the same bytes
// every time. Never: holds a second copy of the tensors, or leaves a half-written file.
#pragma once

#include <cstdint>
#include <filesystem>

#include "graph/graph.h"

namespace embedforge {

struct WriteOptions {
  /// Larger models keep their tensors of kExternalTensor bytes and more in `<file name>.data`. The
  /// default is protobuf's limit.
  uint64_t message_limit = (uint64_t{1} << 31) - 1;
};

/// Tensors smaller than this stay in the model file.
constexpr uint64_t kExternalTensor = 1024;
/// Tensors in the data file start at multiples of this: a page, so that each can be mapped by
/// itself.
constexpr uint64_t kExternalAlignment = 4096;

/// Initializers are laid out so that a reader can use them in place: aligned to their element size
/// in the file (a doc_string of spaces fills the gap), first in the graph, in order of their names.
/// A data file that an earlier write left is removed. Errors: kBadInput (the graph isn't valid, the
/// folder can't be written), kNotSupported (too large even with external data).
void write_onnx(const Graph& graph, const std::filesystem::path& path,
                const WriteOptions& options = {});

}  // namespace embedforge
