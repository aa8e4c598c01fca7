#include "pipeline/buffered_bytes.h"

#include <algorithm>
#include <utility>

#include "embedforge/error.h"

namespace embedforge {
namespace {

constexpr size_t kReadAhead = size_t{256} << 10U;
constexpr uint64_t kFnvPrime = 0x100000001B3;

/// FNV-1a over bytes: it doesn't matter in which pieces they come.
uint64_t hash_on(uint64_t hash, std::string_view bytes) {
  if (hash == 0) hash = 0xCBF29CE484222325;
  for (const char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * kFnvPrime;
  return hash;
}

}  // namespace

BufferedBytes::BufferedBytes(std::unique_ptr<ByteSource> source) : source_(std::move(source)) {}

bool BufferedBytes::more() {
  if (ended_) return false;
  if (at_ > 0 && at_ >= buffer_.size() / 2) {
    buffer_.erase(0, at_);
    at_ = 0;
    // A long line came and went: its memory goes, too.
    if (buffer_.capacity() > 16 * kReadAhead && buffer_.size() < kReadAhead)
      buffer_.shrink_to_fit();
  }
  const size_t before = buffer_.size();
  // Longer content is read in longer pieces, so that each byte of it is moved a few times at most.
  buffer_.resize(before + std::max(kReadAhead, (before - at_) / 2));
  const size_t n = source_->read(std::span(buffer_).subspan(before));
  buffer_.resize(before + n);
  ended_ = n == 0;
  return n > 0;
}

void BufferedBytes::skip(size_t count) {
  if (hashes_) hash_ = hash_on(hash_, view().substr(0, count));
  at_ += count;
  offset_ += count;
}

void BufferedBytes::go_to(uint64_t offset) {
  if (!hashes_ && offset > offset_ + view().size() && source_->seek(offset)) {
    buffer_.clear();
    at_ = 0;
    offset_ = offset;
    return;
  }
  while (offset_ < offset) {
    if (view().empty() && !more())
      throw_bad_input("the input has become shorter than what was read of it before");
    skip(static_cast<size_t>(std::min<uint64_t>(offset - offset_, view().size())));
  }
}

}  // namespace embedforge
