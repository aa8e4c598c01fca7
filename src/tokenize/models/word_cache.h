// A bounded cache from short words to their ids: direct-mapped, one cache line an entry, 512 KB.
// Not thread-safe: one a thread.
#pragma once

#include <algorithm>
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

  WordCache() : entries_(size_t{1} << kBits) {}

  /// Appends the ids of `word`; what `compute` appends is remembered.
  template <class Compute>
  void append(std::string_view word, std::vector<int32_t>& ids, Compute&& compute) {
    if (word.size() > kMaxWord) return compute();
    char copy[kSlack] = {};
    std::memcpy(copy, word.data(), word.size());
    append(make_key(copy, word.size()), word.size(), ids, compute);
  }

  /// The same with the key at hand; `length` is at most kMaxWord.
  template <class Compute>
  void append(const Key& key, size_t length, std::vector<int32_t>& ids, Compute&& compute) {
    Entry& entry = slot(key);
    if (holds(entry, key, length)) {
      ids.insert(ids.end(), entry.ids, entry.ids + entry.count);
      return;
    }
    const size_t before = ids.size();
    compute();
    const size_t count = ids.size() - before;
    if (count > kMaxIds) return;
    entry.key = key;
    entry.length = static_cast<uint8_t>(length);
    entry.count = static_cast<uint8_t>(count);
    std::copy_n(ids.begin() + static_cast<std::ptrdiff_t>(before), count, entry.ids);
  }

  /// The key of `length` <= kMaxWord bytes at `word`; kSlack bytes from `word` on must be readable.
  static Key make_key(const char* word, size_t length) {
    Key key{};
    std::memcpy(key.words, word, sizeof(key.words));
    for (size_t i = 0; i < 3; ++i) {
      const size_t used = length < 8 * i ? 0 : length - 8 * i;
      if (used < 8) key.words[i] &= (uint64_t{1} << (8 * used)) - 1;
    }
    return key;
  }

 private:
  struct alignas(64) Entry {
    Key key{};
    uint8_t length = 0;  // 0: empty
    uint8_t count = 0;
    int32_t ids[kMaxIds] = {};
  };
  static_assert(sizeof(Entry) == 64);

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
  static constexpr int kBits = 13;
  std::vector<Entry> entries_;
};

}  // namespace embedforge
