// A double-array trie over bytes: one 8-byte cell per node, one memory access per step.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace embedforge {

class Trie {
 public:
  static constexpr uint32_t kRoot = 0;
  static constexpr uint32_t kNone = UINT32_MAX;

  using Entry = std::pair<std::string_view, int32_t>;

  Trie() = default;
  /// Values are 0 or more; of equal keys the last one counts. Errors: kNotSupported past 8 million
  /// nodes.
  static Trie build(const std::vector<Entry>& entries);

  /// The child of `node` by `byte`, or kNone.
  uint32_t step(uint32_t node, uint8_t byte) const {
    const uint32_t next = cells_[node].base ^ byte;
    return cells_[next].label == byte + 1U ? next : kNone;
  }
  /// The value of the key that ends at `node`, or -1.
  int32_t value(uint32_t node) const { return cells_[node].value; }

  /// The node behind `key` from `node`, or kNone.
  uint32_t walk(std::string_view key, uint32_t node = kRoot) const;
  /// The value of exactly `key`, or -1.
  int32_t find(std::string_view key) const;

  size_t size() const { return cells_.size(); }

 private:
  struct Cell {
    uint32_t base : 23 = 0;  // child by byte b sits at base ^ b
    uint32_t label : 9 = 0;  // byte + 1 by which this cell is reached; 0: unused
    int32_t value = -1;
  };
  class Builder;

  // The root has label 0 and no other cell reaches it; an empty trie is one such cell and a page of
  // unused ones.
  std::vector<Cell> cells_ = std::vector<Cell>(256);
};

}  // namespace embedforge
