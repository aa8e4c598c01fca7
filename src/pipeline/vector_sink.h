// Takes: texts with their embeddings, block after block. Gives: a file, whole or not at all, or
// JSON lines. Never: holds rows back.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "pipeline/vector_format.h"

namespace embedforge {

class VectorSink {
 public:
  virtual ~VectorSink() = default;
  virtual void write(std::span<const std::string> texts, const Vectors& vectors) = 0;
  virtual void finish() = 0;
};

/// By the path's extension (output_format_of); "-": JSON lines that go to `print`. A JSON line has
/// "text" and "embedding". `columns` of a file without rows. Errors: kUsage for another extension;
/// kBadInput when it can't be written.
std::unique_ptr<VectorSink> open_sink(const std::string& path, VectorType type, size_t columns,
                                      std::function<void(std::string_view)> print);

}  // namespace embedforge
