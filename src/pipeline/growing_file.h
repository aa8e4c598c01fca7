// Takes: bytes for a file, over several runs of the program. Gives: the file under its name when it
// is whole; until then it lies beside as NAME.partial. Never: says that bytes are there before they
// are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>

namespace embedforge {

class GrowingFile {
 public:
  /// Goes on at byte `size` of NAME.partial, or begins it with 0; made with its first byte. Errors:
  /// kBadInput with the path; also when the partial file is shorter than that.
  GrowingFile(const std::filesystem::path& path, uint64_t size);
  GrowingFile(const GrowingFile&) = delete;
  GrowingFile& operator=(const GrowingFile&) = delete;
  ~GrowingFile();

  void write(std::string_view bytes);
  /// Replaces bytes that were written before.
  void overwrite(uint64_t offset, std::string_view bytes);
  /// Returns when all bytes are on the disk.
  void sync();
  /// Makes the partial file also before the first byte.
  void create();
  uint64_t size() const { return size_; }
  /// Of the last kTailBytes of the first `size` bytes.
  uint64_t tail_hash(uint64_t size) const;
  static constexpr size_t kTailBytes = 4096;

  /// Gives the file its name; a file without bytes isn't made, and an older one of that name goes.
  void commit();
  static std::filesystem::path partial_path(const std::filesystem::path& path);

 private:
  void open();
  void put(uint64_t offset, std::string_view bytes);
  std::filesystem::path path_, partial_;
  int fd_ = -1;
  uint64_t size_ = 0;
};

/// Makes what happened to names in the folder of `path` last.
void sync_folder(const std::filesystem::path& path);

}  // namespace embedforge
