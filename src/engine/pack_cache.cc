#include "engine/pack_cache.h"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <span>

#include "base/atomic_file.h"
#include "embedforge/error.h"
#include "embedforge/version.h"

namespace embedforge {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLine = 64;
/// Ends in the version of the layouts: raise it with every change to how a table packs.
constexpr char kMagic[8] = {'E', 'F', 'P', 'A', 'C', 'K', '0', '3'};

/// The first line of the file; the key follows, then the regions, each from a new line on.
struct Header {
  char magic[8];
  uint64_t key_bytes;
  uint64_t body_bytes;  // of the regions with their padding
  uint64_t checksum;    // XXH3 of the key and the regions
};

size_t lines(size_t bytes) { return (bytes + kLine - 1) / kLine * kLine; }

std::string describe(const fs::path& file) {
  std::error_code error;
  const auto size = fs::file_size(file, error);
  const auto time = fs::last_write_time(file, error).time_since_epoch().count();
  return fmt::format("{} {} {}\n", file.filename().string(), error ? 0 : size, time);
}

/// Feeds a region and the zeros that fill its last line to the sink.
template <typename Sink>
void each_line(const std::byte* data, size_t bytes, Sink sink) {
  static constexpr std::byte kZeros[kLine] = {};
  sink(std::span(data, bytes));
  sink(std::span(kZeros, lines(bytes) - bytes));
}

}  // namespace

std::string pack_key(const fs::path& model, const std::string& table, const std::string& compute) {
  std::error_code error;
  const fs::path whole = fs::weakly_canonical(model, error);
  std::string key = fmt::format("embedforge {}\n{} {}\n{}\n", kVersion, table, compute,
                                (error ? model : whole).string());
  key += describe(whole);
  const fs::path data = whole.string() + ".data";
  if (fs::exists(data, error)) key += describe(data);
  return key;
}

void make_room(const fs::path& folder, uint64_t bytes, uint64_t most) noexcept try {
  struct Pack {
    fs::file_time_type used;  // PackCache::open() sets the time
    uint64_t bytes;
    fs::path path;
  };
  std::vector<Pack> packs;
  uint64_t total = bytes;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".pack") continue;
    packs.push_back({entry.last_write_time(), entry.file_size(), entry.path()});
    total += packs.back().bytes;
  }
  std::sort(packs.begin(), packs.end(),
            [](const Pack& a, const Pack& b) { return a.used < b.used; });
  for (const Pack& pack : packs) {
    if (total <= most) return;
    if (fs::remove(pack.path)) total -= pack.bytes;
  }
} catch (const std::exception&) {
  return;  // another process may be at it, too
}

PackCache::PackCache(const fs::path& folder, const std::string& key) : key_(key) {
  // The name leaves out what changes with the file's content, so that a new version replaces the
  // old one's pack.
  const std::string place = key.substr(0, key.rfind('\n', key.size() - 2) + 1);
  path_ = folder / fmt::format("{:016x}.pack", XXH3_64bits(place.data(), place.size()));
  try {
    open();
  } catch (const Error&) {
    mapped_ = nullptr;
  }
}

void PackCache::open() {
  std::error_code error;
  if (!fs::is_regular_file(path_, error)) return;
  auto file = std::make_shared<const MappedFile>(MappedFile::open(path_));
  const std::span<const std::byte> bytes = file->bytes();
  Header header{};
  if (bytes.size() < kLine) return;
  std::memcpy(&header, bytes.data(), sizeof header);
  const size_t body = kLine + lines(key_.size());
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 || header.key_bytes != key_.size() ||
      bytes.size() < body || header.body_bytes != bytes.size() - body ||
      std::memcmp(bytes.data() + kLine, key_.data(), key_.size()) != 0 ||
      header.checksum != XXH3_64bits(bytes.data() + kLine, bytes.size() - kLine)) {
    return;
  }
  mapped_ = std::move(file);
  at_ = body;
  fs::last_write_time(path_, fs::file_time_type::clock::now(), error);
}

const std::byte* PackCache::take(size_t bytes) {
  const std::span<const std::byte> all = mapped_->bytes();
  uint64_t stored = 0;
  if (all.size() - at_ < kLine) return nullptr;
  std::memcpy(&stored, all.data() + at_, sizeof stored);
  if (stored != bytes || all.size() - at_ - kLine < lines(bytes)) return nullptr;
  const std::byte* region = all.data() + at_ + kLine;
  at_ += kLine + lines(bytes);
  return region;
}

void PackCache::record(const std::byte* data, size_t bytes, std::shared_ptr<const void> owner) {
  recorded_.push_back({data, bytes, std::move(owner)});
}

void PackCache::start_over() {
  mapped_ = nullptr;
  recorded_.clear();
}

void PackCache::commit() noexcept {
  if (reading() || recorded_.empty()) return;
  try {
    const auto each = [this](auto sink) {
      each_line(reinterpret_cast<const std::byte*>(key_.data()), key_.size(), sink);
      for (const Region& region : recorded_) {
        const uint64_t bytes = region.bytes;
        each_line(reinterpret_cast<const std::byte*>(&bytes), sizeof bytes, sink);
        each_line(region.data, region.bytes, sink);
      }
    };
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    Header header{};
    each([&](std::span<const std::byte> part) {
      XXH3_64bits_update(&state, part.data(), part.size());
      header.body_bytes += part.size();
    });
    std::memcpy(header.magic, kMagic, sizeof kMagic);
    header.key_bytes = key_.size();
    header.body_bytes -= lines(key_.size());
    header.checksum = XXH3_64bits_digest(&state);
    const uint64_t bytes = kLine + lines(key_.size()) + header.body_bytes;
    if (bytes > kPackCacheBytes) return;
    std::error_code error;
    fs::remove(path_, error);  // of an older version: its bytes are free
    make_room(path_.parent_path(), bytes, kPackCacheBytes);
    AtomicFile file(path_);
    each_line(reinterpret_cast<const std::byte*>(&header), sizeof header,
              [&](auto part) { file.write(part); });
    each([&](auto part) { file.write(part); });
    file.commit();
  } catch (const std::exception&) {
    return;  // no room, no permission: packing again next time is all that follows
  }
}

}  // namespace embedforge
