// Takes: the rows of an input. Gives: them in blocks, and what is written of a block. Never:
// depends on where a block ends: the bytes of a row are the same in any.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "embedforge/embedder.h"
#include "pipeline/embed_job.h"
#include "pipeline/row_source.h"
#include "pipeline/vector_cache.h"
#include "pipeline/vector_format.h"

namespace embedforge {

struct Block {
  struct Text {
    Row row;
    uint64_t file = 0, line = 0;
  };
  uint64_t sequence = 0;
  std::vector<Text> texts;
  InputPosition after;    // where the input goes on
  uint64_t rejected = 0;  // records
  std::string rejected_lines;
  uint64_t input_bytes = 0;  // of all inputs, up to here
  size_t weight = 0;         // bytes that matter for the time it takes
  bool last = false;
  bool lost = false;         // nothing of it can be written
  std::exception_ptr error;  // thrown again when all before it is written

  // Of the encoder.
  std::string output, row_lines;
  uint64_t rows = 0, repeated = 0;
};

/// How many bytes of text a block should have, so that it takes about a second: an interruption
/// costs no more than that, and the texts of a block are still enough to be sorted by length.
class BlockSize {
 public:
  size_t bytes() const { return bytes_; }
  void took(size_t bytes, double seconds);

 private:
  std::atomic<size_t> bytes_ = size_t{16} << 10U;
};

/// Reads blocks; the errors of the input come as the last block's.
class BlockReader {
 public:
  BlockReader(const JobOptions& options, std::vector<InputFile> files, std::vector<uint64_t> sizes,
              const BlockSize& size, size_t most_texts, size_t max_length);
  void go_to(const InputPosition& position) { source_.go_to(position); }
  Block next(const std::atomic<bool>& cancelled);

 private:
  void fill(Block& block, const std::atomic<bool>& cancelled);
  const JobOptions& options_;
  std::vector<InputFile> files_;
  std::vector<uint64_t> sizes_;  // bytes
  RowSource source_;
  const BlockSize& size_;
  size_t most_texts_, weighed_;
  uint64_t sequence_ = 0;
};

/// Turns the texts of a block into what is written. Thread-safe.
class BlockEncoder {
 public:
  /// Errors: kUsage for options that contradict the model; kBadInput for the file of ranges.
  BlockEncoder(const Embedder& embedder, const JobOptions& options, std::vector<InputFile> files,
               OutputFormat format);
  void encode(Block& block);
  /// Of a row of the output: numbers, or bytes that hold 8 bits each.
  size_t columns() const;
  bool writes_rows() const { return writes_rows_; }

 private:
  struct Piece;
  std::vector<Piece> pieces_of(const Block& block) const;
  void append_place(const Piece& piece, const Block::Text& text, bool whole,
                    std::string& out) const;
  const Embedder& embedder_;
  const JobOptions& options_;
  std::vector<InputFile> files_;
  OutputFormat format_;
  bool writes_rows_;
  size_t dimension_;
  std::optional<VectorRanges> ranges_;
  VectorCache cache_;
};

}  // namespace embedforge
