// A block of bytes on 64-byte lines that remembers its size; contents are not kept when it grows.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

namespace embedforge {

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t bytes) { reserve(bytes); }

  /// Grows to at least `bytes` (and never shrinks; see release()).
  void reserve(size_t bytes) {
    if (bytes <= size_) return;
    const size_t rounded = (bytes + 63) / 64 * 64;
    data_.reset(static_cast<std::byte*>(std::aligned_alloc(64, rounded)));
    size_ = data_ == nullptr ? 0 : rounded;
    if (data_ == nullptr) throw std::bad_alloc();
  }
  void release() {
    data_.reset();
    size_ = 0;
  }
  std::byte* data() const { return data_.get(); }
  float* floats() const { return reinterpret_cast<float*>(data_.get()); }
  size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }  // NOLINT: pairs with aligned_alloc
  };
  std::unique_ptr<std::byte[], Free> data_;
  size_t size_ = 0;
};

}  // namespace embedforge
