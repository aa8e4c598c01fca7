// Token texts and ids, both ways. Ids may have holes.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace embedforge {

class Vocabulary {
 public:
  using Entry = std::pair<std::string_view, int32_t>;

  static constexpr int64_t kMaxId = (int64_t{1} << 26) - 1;

  Vocabulary() = default;
  /// Copies the texts. Of tokens with the same text the last one's id counts, of tokens with the
  /// same id the last one's text. Errors: none; ids are checked by the reader (0 to kMaxId).
  explicit Vocabulary(const std::vector<Entry>& tokens);

  /// -1 when there is none.
  int32_t id(std::string_view token) const;
  bool has(int32_t id) const;
  /// Empty for an id without a token.
  std::string_view text(int32_t id) const;
  /// Number of tokens.
  size_t size() const { return tokens_.size(); }
  /// Largest id + 1.
  size_t id_count() const { return texts_.size(); }
  /// Each text once.
  const std::vector<Entry>& tokens() const { return tokens_; }

 private:
  /// Of an open-addressing table: a part of the text's hash, and which token it is.
  struct Slot {
    uint32_t hash = 0;
    int32_t token = -1;  // -1: free
  };
  /// The slot of the token, or the free one where it belongs. The table must not be full.
  size_t find(std::string_view token, uint32_t hash) const;

  std::unique_ptr<char[]> bytes_;  // the texts, one after another
  std::vector<Entry> tokens_;
  std::vector<Slot> slots_;              // a power of two, at most half of them taken
  std::vector<std::string_view> texts_;  // data() is null where there is no token
};

}  // namespace embedforge
