// A hash table from pairs of ids to their merge: open addressing, one load for most look-ups.
#pragma once

#include <cstdint>
#include <vector>

namespace embedforge {

class MergeTable {
 public:
  struct Merge {
    uint64_t pair = kEmpty;
    uint32_t rank = kNoRank;
    int32_t id = -1;
  };
  static constexpr uint32_t kNoRank = UINT32_MAX;

  explicit MergeTable(size_t count = 0) {
    while (slots_.size() < 2 * count) slots_.resize(2 * slots_.size());
  }

  /// Of equal pairs the last one counts. At most `count` different ones.
  void add(int32_t left, int32_t right, uint32_t rank, int32_t id) {
    const uint64_t pair = key(left, right);
    size_t i = hash(pair);
    while (slots_[i].pair != kEmpty && slots_[i].pair != pair) i = (i + 1) & (slots_.size() - 1);
    slots_[i] = {pair, rank, id};
  }

  /// The merge of two ids; its rank is kNoRank when there is none.
  const Merge& find(int32_t left, int32_t right) const {
    const uint64_t pair = key(left, right);
    size_t i = hash(pair);
    while (slots_[i].pair != pair && slots_[i].pair != kEmpty) i = (i + 1) & (slots_.size() - 1);
    return slots_[i];
  }

 private:
  static constexpr uint64_t kEmpty = UINT64_MAX;

  static uint64_t key(int32_t left, int32_t right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }
  size_t hash(uint64_t pair) const {
    const uint64_t mixed = (pair ^ (pair >> 29)) * 0x9E3779B97F4A7C15ULL;
    return (mixed >> 32) & (slots_.size() - 1);
  }

  std::vector<Merge> slots_ = std::vector<Merge>(16);
};

}  // namespace embedforge
