#include "tokenize/trie.h"

#include <algorithm>

#include "embedforge/error.h"

namespace embedforge {

/// Places nodes first-fit. Free cells of the open pages are a linked list in order of position; a
/// page that has been tried often without success is closed, which keeps the build near linear.
class Trie::Builder {
 public:
  Builder(std::vector<Entry> entries, std::vector<Cell>& cells)
      : entries_(std::move(entries)), cells_(cells) {}

  void build() {
    std::stable_sort(entries_.begin(), entries_.end(),
                     [](const Entry& a, const Entry& b) { return a.first < b.first; });
    cells_.clear();
    add_page();
    used_[0] = true;
    // A stack and not recursion: keys may be long.
    std::vector<Range> todo{{0, entries_.size(), 0, kRoot}};
    while (!todo.empty()) {
      const Range range = todo.back();
      todo.pop_back();
      place(range, todo);
    }
  }

 private:
  static constexpr size_t kPage = 256;
  static constexpr size_t kMaxCells = size_t{1} << 23;
  static constexpr int kMaxTries = 64;

  struct Range {
    size_t begin;
    size_t end;
    size_t depth;
    uint32_t node;
  };
  struct Child {
    uint8_t byte;
    size_t begin;
    size_t end;
  };

  void add_page() {
    if (cells_.size() + kPage > kMaxCells) {
      throw_not_supported("tokenizer: the vocabulary needs a trie of more than 8 million nodes");
    }
    open_.emplace_back(static_cast<uint32_t>(cells_.size()), 0);
    cells_.resize(cells_.size() + kPage);
    used_.resize(cells_.size());
    taken_.resize(cells_.size());
  }

  void place(Range range, std::vector<Range>& todo) {
    while (range.begin < range.end && entries_[range.begin].first.size() == range.depth) {
      cells_[range.node].value = entries_[range.begin].second;
      ++range.begin;
    }
    if (range.begin == range.end) {
      // A leaf's base must not lead to another node's children: every base is used once, so it gets
      // none of its own.
      leaves_.push_back(range.node);
      return;
    }
    children_.clear();
    for (size_t i = range.begin; i < range.end;) {
      const auto byte = static_cast<uint8_t>(entries_[i].first[range.depth]);
      size_t j = i + 1;
      while (j < range.end && static_cast<uint8_t>(entries_[j].first[range.depth]) == byte) ++j;
      children_.push_back({byte, i, j});
      i = j;
    }
    const uint32_t base = find_base();
    taken_[base] = true;
    cells_[range.node].base = base;
    for (const Child& child : children_) {
      const uint32_t cell = base ^ child.byte;
      used_[cell] = true;
      cells_[cell].label = child.byte + 1U;
      todo.push_back({child.begin, child.end, range.depth + 1, cell});
    }
  }

  uint32_t find_base() {
    for (size_t p = 0; p < open_.size(); ++p) {
      const uint32_t page = open_[p].first;
      for (uint32_t low = 0; low < kPage; ++low) {
        // Try the positions of the first child one by one.
        const uint32_t base = page + (low ^ children_[0].byte);
        if (taken_[base] || used_[page + low]) continue;
        const bool fits = std::all_of(children_.begin(), children_.end(), [&](const Child& child) {
          return !used_[base ^ child.byte];
        });
        if (fits) return base;
      }
      if (++open_[p].second >= kMaxTries) {
        open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(p));
        --p;
      }
    }
    add_page();
    return find_base();
  }

  std::vector<Entry> entries_;
  std::vector<Cell>& cells_;
  std::vector<bool> used_;
  std::vector<bool> taken_;  // a base that some node has
  std::vector<std::pair<uint32_t, int>> open_;
  std::vector<Child> children_;
  std::vector<uint32_t> leaves_;

 public:
  /// Gives all leaves one base whose page has no labelled cells.
  void finish() {
    const auto empty = static_cast<uint32_t>(cells_.size());
    cells_.resize(cells_.size() + kPage);
    for (const uint32_t leaf : leaves_) cells_[leaf].base = empty;
  }
};

Trie Trie::build(std::vector<Entry> entries) {
  Trie trie;
  Builder builder(std::move(entries), trie.cells_);
  builder.build();
  builder.finish();
  return trie;
}

uint32_t Trie::walk(std::string_view key, uint32_t node) const {
  for (size_t i = 0; i < key.size() && node != kNone; ++i) {
    node = step(node, static_cast<uint8_t>(key[i]));
  }
  return node;
}

int32_t Trie::find(std::string_view key) const {
  const uint32_t node = walk(key);
  return node == kNone ? -1 : value(node);
}

}  // namespace embedforge
