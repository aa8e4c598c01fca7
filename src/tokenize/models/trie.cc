#include "tokenize/models/trie.h"

#include <algorithm>
#include <array>
#include <bit>

#include "embedforge/error.h"

namespace embedforge {
namespace {

/// A set of the positions in a page of 256.
using Positions = std::array<uint64_t, 4>;

void remove(Positions& set, uint32_t low) { set[low >> 6U] &= ~(uint64_t{1} << (low & 63U)); }

/// {p : p ^ byte in set}. Bit i of `byte` swaps neighbouring runs of 2^i positions.
Positions moved(const Positions& set, uint8_t byte) {
  constexpr std::array<uint64_t, 6> kLowRuns = {0x5555555555555555, 0x3333333333333333,
                                                0x0F0F0F0F0F0F0F0F, 0x00FF00FF00FF00FF,
                                                0x0000FFFF0000FFFF, 0x00000000FFFFFFFF};
  Positions out{};
  for (size_t word = 0; word < out.size(); ++word) out[word] = set[word ^ (byte >> 6U)];
  for (unsigned i = 0; i < kLowRuns.size(); ++i) {
    if (((byte >> i) & 1U) == 0) continue;
    const unsigned run = 1U << i;
    for (uint64_t& word : out) word = ((word & kLowRuns[i]) << run) | ((word >> run) & kLowRuns[i]);
  }
  return out;
}

/// The first eight bytes, in an order of numbers that is that of the texts.
uint64_t first_bytes(std::string_view text) {
  uint64_t out = 0;
  for (size_t i = 0; i < sizeof out; ++i) {
    out = (out << 8U) | (i < text.size() ? static_cast<uint8_t>(text[i]) : 0U);
  }
  return out;
}

}  // namespace

/// Places nodes first-fit, a page at a time. A page that has been tried often without success is
/// closed, which keeps the build near linear.
class Trie::Builder {
 public:
  Builder(const std::vector<Entry>& entries, std::vector<Cell>& cells) : cells_(cells) {
    struct Key {
      uint64_t order;
      size_t entry;
    };
    std::vector<Key> keys;
    keys.reserve(entries.size());
    for (const Entry& entry : entries) keys.push_back({first_bytes(entry.first), keys.size()});
    std::sort(keys.begin(), keys.end(), [&](const Key& a, const Key& b) {
      if (a.order != b.order) return a.order < b.order;
      const int texts = entries[a.entry].first.compare(entries[b.entry].first);
      return texts != 0 ? texts < 0 : a.entry < b.entry;
    });
    entries_.reserve(entries.size());
    for (const Key& key : keys) entries_.push_back(entries[key.entry]);
  }

  void build() {
    cells_.clear();
    add_page();
    remove(pages_[0].free, kRoot);
    // A stack and not recursion: keys may be long.
    std::vector<Range> todo{{0, entries_.size(), 0, kRoot}};
    while (!todo.empty()) {
      const Range range = todo.back();
      todo.pop_back();
      place(range, todo);
    }
    // All leaves share one base, whose page has no labelled cells.
    const auto empty = static_cast<uint32_t>(cells_.size());
    cells_.resize(cells_.size() + kPage);
    for (const uint32_t leaf : leaves_) cells_[leaf].base = empty;
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
  struct Page {
    Positions free = {};   // cells that no node has
    Positions bases = {};  // that no node has: one that two had would mix their children
    int tries = 0;
  };

  void add_page() {
    if (cells_.size() + kPage > kMaxCells) {
      throw_not_supported("tokenizer: the vocabulary needs a trie of more than 8 million nodes");
    }
    Page page;
    page.free.fill(~uint64_t{0});
    page.bases.fill(~uint64_t{0});
    open_.push_back(static_cast<uint32_t>(pages_.size()));
    pages_.push_back(page);
    cells_.resize(cells_.size() + kPage);
  }

  void place(Range range, std::vector<Range>& todo) {
    while (range.begin < range.end && entries_[range.begin].first.size() == range.depth) {
      cells_[range.node].value = entries_[range.begin].second;
      ++range.begin;
    }
    if (range.begin == range.end) {
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
    const uint32_t base = take_base();
    cells_[range.node].base = base;
    for (const Child& child : children_) {
      const uint32_t cell = base ^ child.byte;
      remove(pages_[cell / kPage].free, cell % kPage);
      cells_[cell].label = child.byte + 1U;
      todo.push_back({child.begin, child.end, range.depth + 1, cell});
    }
  }

  /// A base in `page` at which all children find a free cell; kNone when there is none.
  uint32_t find_base(uint32_t page) const {
    Positions fits = pages_[page].bases;
    for (const Child& child : children_) {
      const Positions free = moved(pages_[page].free, child.byte);
      uint64_t any = 0;
      for (size_t word = 0; word < fits.size(); ++word) any |= fits[word] &= free[word];
      if (any == 0) return kNone;
    }
    size_t word = 0;
    while (fits[word] == 0) ++word;
    return static_cast<uint32_t>(page * kPage + word * 64) +
           static_cast<uint32_t>(std::countr_zero(fits[word]));
  }

  uint32_t take_base() {
    for (size_t p = 0;; ++p) {
      if (p == open_.size()) add_page();
      Page& page = pages_[open_[p]];
      if (const uint32_t base = find_base(open_[p]); base != kNone) {
        remove(page.bases, base % kPage);
        return base;
      }
      if (++page.tries >= kMaxTries) {
        open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(p));
        --p;
      }
    }
  }

  std::vector<Entry> entries_;  // sorted; of equal texts the last one counts
  std::vector<Cell>& cells_;
  std::vector<Page> pages_;
  std::vector<uint32_t> open_;  // numbers of pages
  std::vector<Child> children_;
  std::vector<uint32_t> leaves_;
};

Trie Trie::build(const std::vector<Entry>& entries) {
  Trie trie;
  Builder(entries, trie.cells_).build();
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
