// A bounded cache from short words to their ids: direct-mapped, one cache line an entry, 512 KB.
// Not thread-safe: one a thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace embedforge {

class WordCache {
 public:
  static constexpr size_t kMaxWord = 24;  // bytes
  static constexpr size_t kMaxIds = 9;
  /// Bytes behind a word that lookups may read (and ignore).
  static constexpr size_t kSlack = 24;

  struct Key {
    uint64_t words[3];
  };

  struct alignas(64) Entry {
    Key key{};
    uint8_t length = 0;  // 0: empty
    uint8_t count = 0;
    int32_t ids[kMaxIds] = {};
  };
  static_assert(sizeof(Entry) == 64);

  WordCache() : entries_(size_t{1} << kBits) {}

  /// The key of `length` <= kMaxWord bytes at `word`; kSlack bytes from `word` on must be readable.
  static Key make_key(const char* word, size_t length) {
    Key key;
    std::memcpy(key.words, word, sizeof(key.words));
    for (size_t i = 0; i < 3; ++i) {
      const size_t used = length < 8 * i ? 0 : length - 8 * i;
      if (used < 8) key.words[i] &= (uint64_t{1} << (8 * used)) - 1;
    }
    return key;
  }

  /// The place of the key: its entry, or the one that it would replace.
  Entry& slot(const Key& key) {
    const uint64_t hash = (key.words[0] * 0x9E3779B97F4A7C15ULL) ^
                          (key.words[1] * 0xC2B2AE3D27D4EB4FULL) ^
                          (key.words[2] * 0x165667B19E3779F9ULL);
    return entries_[(hash ^ (hash << 29)) >> (64 - kBits)];
  }
  static bool holds(const Entry& entry, const Key& key, size_t length) {
    return entry.length == length &&
           ((entry.key.words[0] ^ key.words[0]) | (entry.key.words[1] ^ key.words[1]) |
            (entry.key.words[2] ^ key.words[2])) == 0;
  }

 private:
  static constexpr int kBits = 13;
  std::vector<Entry> entries_;
};

}  // namespace embedforge
