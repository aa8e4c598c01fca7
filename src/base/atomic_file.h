// Takes: a path and bytes. Gives: the file, whole or not at all. Never: leaves a half-written file
// behind.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace embedforge {

/// Writes beside the target (same folder, hidden name) and renames on commit(); without commit the
/// partial file is removed.
class AtomicFile {
 public:
  /// Errors: kBadInput with the path when the folder can't be written. Parent folders are made.
  explicit AtomicFile(const std::filesystem::path& path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  /// Errors: kBadInput (disk full and the like), with the path.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  /// Replaces bytes that were written already: `offset` + size must not pass size().
  void overwrite(size_t offset, std::string_view text);
  size_t size() const { return size_; }
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path partial_;
  int fd_ = -1;
  size_t size_ = 0;
};

/// Removes the partial files of this process; for a signal handler's use before it exits
/// (async-signal-safe).
void remove_partial_files() noexcept;

}  // namespace embedforge
