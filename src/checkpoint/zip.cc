#include "checkpoint/zip.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "embedforge/error.h"

namespace embedforge {
namespace {

constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kLocator64Signature = 0x07064b50;
constexpr uint32_t kCentralSignature = 0x02014b50;
constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr size_t kEndSize = 22;
constexpr size_t kLocator64Size = 20;
constexpr size_t kEnd64Size = 56;
constexpr size_t kCentralSize = 46;
constexpr size_t kLocalSize = 30;

class Archive {
 public:
  Archive(std::span<const std::byte> bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  size_t size() const { return bytes_.size(); }

  template <typename T>
  T at(uint64_t offset) const {
    need(offset, sizeof(T));
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof(T));
    return value;
  }
  std::span<const std::byte> slice(uint64_t offset, uint64_t count) const {
    need(offset, count);
    return bytes_.subspan(offset, count);
  }
  [[noreturn]] void damaged(const std::string& what) const {
    throw_bad_input(file_ + ": damaged or truncated zip archive: " + what);
  }
  const std::string& file() const { return file_; }

 private:
  void need(uint64_t offset, uint64_t count) const {
    if (offset > bytes_.size() || count > bytes_.size() - offset) {
      damaged("byte " + std::to_string(offset) + " + " + std::to_string(count) +
              " lies beyond its " + std::to_string(bytes_.size()) + " bytes");
    }
  }
  std::span<const std::byte> bytes_;
  const std::string& file_;
};

struct Directory {
  uint64_t entries = 0;
  uint64_t offset = 0;
};

/// The end record stands last, before a comment of at most 65535 bytes.
Directory find_directory(const Archive& archive) {
  if (archive.size() < kEndSize) archive.damaged("it is too short");
  const size_t last = archive.size() - kEndSize;
  const size_t first = last - std::min<size_t>(last, 0xFFFF);
  size_t at = last;
  while (archive.at<uint32_t>(at) != kEndSignature) {
    if (at == first) archive.damaged("no end-of-directory record");
    --at;
  }
  Directory directory{archive.at<uint16_t>(at + 10), archive.at<uint32_t>(at + 16)};
  if (at >= kLocator64Size && archive.at<uint32_t>(at - kLocator64Size) == kLocator64Signature) {
    const uint64_t end64 = archive.at<uint64_t>(at - kLocator64Size + 8);
    if (archive.slice(end64, kEnd64Size).empty() ||
        archive.at<uint32_t>(end64) != kEnd64Signature) {
      archive.damaged("no zip64 end-of-directory record");
    }
    directory = {archive.at<uint64_t>(end64 + 32), archive.at<uint64_t>(end64 + 48)};
  }
  return directory;
}

struct Sizes {
  uint64_t compressed = 0;
  uint64_t plain = 0;
  uint64_t offset = 0;
};

/// Fields of a central header that say 0xFFFFFFFF stand in its zip64 extra field (id 1), in this
/// order.
void apply_zip64(const Archive& archive, uint64_t extra, uint64_t extra_size, Sizes& sizes) {
  const uint64_t end = extra + extra_size;
  while (extra + 4 <= end) {
    const uint16_t id = archive.at<uint16_t>(extra);
    uint64_t at = extra + 4;
    extra = at + archive.at<uint16_t>(at - 2);
    if (extra > end) archive.damaged("an extra field leaves its header");
    if (id != 1) continue;
    for (uint64_t* field : {&sizes.plain, &sizes.compressed, &sizes.offset}) {
      if (*field != 0xFFFFFFFFU) continue;
      if (at + 8 > extra) archive.damaged("a zip64 field is too short");
      *field = archive.at<uint64_t>(at);
      at += 8;
    }
  }
}

void check_name(const Archive& archive, const std::string& name) {
  const bool climbs = name == ".." || name.starts_with("../") || name.ends_with("/..") ||
                      name.find("/../") != std::string::npos;
  if (name.empty() || name.front() == '/' || climbs || name.find('\\') != std::string::npos ||
      name.find('\0') != std::string::npos) {
    throw_bad_input(archive.file() + ": refused: entry name \"" + name.substr(0, 80) +
                    "\" leaves the archive");
  }
}

}  // namespace

std::map<std::string, std::span<const std::byte>> read_zip(std::span<const std::byte> bytes,
                                                           const std::string& file) {
  const Archive archive(bytes, file);
  const Directory directory = find_directory(archive);
  if (directory.entries > archive.size() / kCentralSize) archive.damaged("too many entries");
  std::map<std::string, std::span<const std::byte>> entries;
  uint64_t at = directory.offset;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    if (archive.at<uint32_t>(at) != kCentralSignature) archive.damaged("bad directory entry");
    const uint16_t flags = archive.at<uint16_t>(at + 8);
    const uint16_t method = archive.at<uint16_t>(at + 10);
    Sizes sizes{archive.at<uint32_t>(at + 20), archive.at<uint32_t>(at + 24),
                archive.at<uint32_t>(at + 42)};
    const uint16_t name_size = archive.at<uint16_t>(at + 28);
    const uint16_t extra_size = archive.at<uint16_t>(at + 30);
    const uint16_t comment_size = archive.at<uint16_t>(at + 32);
    const auto name_bytes = archive.slice(at + kCentralSize, name_size);
    const std::string name(reinterpret_cast<const char*>(name_bytes.data()), name_size);
    check_name(archive, name);
    if ((flags & 1U) != 0) throw_not_supported(file + ": entry " + name + " is encrypted");
    if (method != 0) {
      throw_not_supported(file + ": entry " + name +
                          " is compressed; torch.save stores its entries as they are");
    }
    apply_zip64(archive, at + kCentralSize + name_size, extra_size, sizes);
    if (sizes.compressed != sizes.plain) archive.damaged("a stored entry has two sizes");
    if (archive.at<uint32_t>(sizes.offset) != kLocalSignature) archive.damaged("bad entry header");
    const uint64_t start = sizes.offset + kLocalSize + archive.at<uint16_t>(sizes.offset + 26) +
                           archive.at<uint16_t>(sizes.offset + 28);
    if (!entries.emplace(name, archive.slice(start, sizes.plain)).second) {
      archive.damaged("entry " + name + " is there twice");
    }
    at += kCentralSize + name_size + extra_size + comment_size;
  }
  return entries;
}

}  // namespace embedforge
