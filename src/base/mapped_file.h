// Takes: a path. Gives: its bytes, mapped read-only (pages are read when touched). Never: copies or
// writes.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace embedforge {

class MappedFile {
 public:
  /// Errors: kBadInput with the path and the system's reason when it is missing, a folder or
  /// unreadable.
  static MappedFile open(const std::filesystem::path& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }

 private:
  MappedFile() = default;
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace embedforge
