#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "embedforge/error.h"
#include "pipeline/job_block.h"

namespace embedforge {

void BlockSize::took(size_t bytes, double seconds) {
  constexpr size_t kLeast = size_t{8} << 10U;
  constexpr size_t kMost = size_t{2} << 20U;
  if (bytes < kLeast / 2) return;
  const double wanted = static_cast<double>(bytes) / std::max(seconds, 1e-3);
  const auto mean = (static_cast<double>(bytes_) + wanted) / 2;
  bytes_ = std::clamp(static_cast<size_t>(mean), kLeast, kMost);
}

BlockReader::BlockReader(const JobOptions& options, std::vector<InputFile> files,
                         std::vector<uint64_t> sizes, const BlockSize& size, size_t most_texts,
                         size_t max_length)
    : options_(options),
      files_(std::move(files)),
      sizes_(std::move(sizes)),
      source_(files_, options.read),
      size_(size),
      most_texts_(most_texts),
      // What is cut off costs next to nothing: a token has 16 bytes at most, nearly always.
      weighed_(options.chunk_tokens > 0 || max_length == 0 ? static_cast<size_t>(-1)
                                                           : 16 * max_length) {}

void BlockReader::fill(Block& block, const std::atomic<bool>& cancelled) {
  constexpr size_t kMostRejected = 65'536;
  const size_t wanted = size_.bytes();
  size_t bytes = 0;
  while (block.texts.size() < most_texts_ && block.weight < wanted && bytes < 4 * wanted &&
         block.rejected < kMostRejected && !cancelled) {
    Block::Text text;
    RecordNote note;
    const Found found = source_.next(text.row, note);
    if (found == Found::kEnd) {
      block.last = true;
      return;
    }
    const std::string& name = files_[std::min<size_t>(note.file, files_.size() - 1)].name;
    if (found == Found::kBroken) {
      if (options_.strict)
        throw_bad_input(fmt::format("{}: line {}: {} (--strict)", name, note.line, note.reason));
      block.rejected += 1;
      block.rejected_lines += fmt::format("{{\"file\":{},\"line\":{},\"reason\":{}}}\n",
                                          json_string(name), note.line, json_string(note.reason));
      block.after = source_.position();
      continue;
    }
    text.file = note.file;
    text.line = note.line;
    bytes += text.row.text.size();
    constexpr size_t kEach = 16;  // an empty text takes its time, too
    block.weight += std::min(text.row.text.size(), weighed_) + kEach;
    block.texts.push_back(std::move(text));
    block.after = source_.position();
  }
}

Block BlockReader::next(const std::atomic<bool>& cancelled) {
  Block block;
  block.sequence = sequence_++;
  block.after = source_.position();
  try {
    fill(block, cancelled);
    if (block.last) block.after = source_.position();
  } catch (...) {
    block.error = std::current_exception();
  }
  for (size_t i = 0; i < source_.current_file() && i < sizes_.size(); ++i)
    block.input_bytes += sizes_[i];
  block.input_bytes += source_.consumed();
  return block;
}

}  // namespace embedforge
