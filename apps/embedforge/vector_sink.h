// Takes: texts with their embeddings, block after block. Gives: a .npy or .jsonl file, whole or not
// at all, or JSON lines on stdout. Never: holds rows back.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "embedforge/embedder.h"

namespace embedforge::app {

class VectorSink {
 public:
  virtual ~VectorSink() = default;
  virtual void write(std::span<const std::string> texts, const Matrix& vectors) = 0;
  virtual void write(std::span<const std::string> texts, const ByteMatrix& vectors) = 0;
  virtual void finish() = 0;
};

/// By the path's extension: .npy ([n, columns] of the type's numbers), .jsonl; "-" is stdout.
/// `columns` of a file without rows. Errors: kUsage for another extension; kBadInput when it can't
/// be written.
std::unique_ptr<VectorSink> open_sink(const std::string& path, VectorType type, size_t columns);

}  // namespace embedforge::app
