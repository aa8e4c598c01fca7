// Takes: a file and a key. Gives: packed weights from an earlier load, mapped, or a record of them
// for the next one. Never: fails a load. A missing, stale or damaged file is made again; a folder
// that can't be written is left alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/mapped_file.h"

namespace embedforge {

/// What packed weights depend on: the model file's path, size and time of change (and those of the
/// external data beside it), the kernel table, the compute and this library's version.
std::string pack_key(const std::filesystem::path& model, const std::string& table,
                     const std::string& compute);

/// What the folder's packs may take together.
inline constexpr uint64_t kPackCacheBytes = uint64_t{4} << 30;

/// Removes the packs that were used longest ago until `bytes` more fit into `most`. A pack that is
/// mapped stays so. Problems are ignored.
void make_room(const std::filesystem::path& folder, uint64_t bytes, uint64_t most) noexcept;

/// One file of regions, each on a 64-byte line, in the order in which compile() asks for them.
class PackCache {
 public:
  /// Opens the file of that key in `folder` when it is whole and its key the same; otherwise
  /// records.
  PackCache(const std::filesystem::path& folder, const std::string& key);

  bool reading() const { return mapped_ != nullptr; }
  /// The next region, when it has that size; nullptr when the file doesn't go with the program
  /// (then start over, recording).
  const std::byte* take(size_t bytes);
  std::shared_ptr<const void> owner() const { return mapped_; }

  /// Keeps `data` for commit(); `owner` must keep it alive.
  void record(const std::byte* data, size_t bytes, std::shared_ptr<const void> owner);
  /// Writes the file, beside and renamed, unless it alone is more than kPackCacheBytes; others go
  /// for it. Problems are ignored: the cache is a convenience.
  void commit() noexcept;
  /// Forgets the file and what was recorded.
  void start_over();

 private:
  struct Region {
    const std::byte* data;
    size_t bytes;
    std::shared_ptr<const void> owner;
  };
  void open();

  std::filesystem::path path_;
  std::string key_;
  std::shared_ptr<const MappedFile> mapped_;
  size_t at_ = 0;
  std::vector<Region> recorded_;
};

}  // namespace embedforge
