// Token texts and ids, both ways. Ids may have holes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace embedforge {

class Vocabulary {
 public:
  /// Of tokens with the same id the last one is its text. Errors: none; ids are checked by the
  /// reader (0 to kMaxId).
  static constexpr int64_t kMaxId = (int64_t{1} << 26) - 1;

  Vocabulary() = default;
  explicit Vocabulary(std::vector<std::pair<std::string, int32_t>> tokens);

  /// -1 when there is none.
  int32_t id(std::string_view token) const;
  bool has(int32_t id) const;
  /// Empty for an id without a token.
  std::string_view text(int32_t id) const;
  /// Number of tokens.
  size_t size() const { return ids_.size(); }
  /// Largest id + 1.
  size_t id_count() const { return texts_.size(); }
  const std::vector<std::pair<std::string, int32_t>>& tokens() const { return tokens_; }

 private:
  std::vector<std::pair<std::string, int32_t>> tokens_;  // owns the texts that the two indexes view
  std::unordered_map<std::string_view, int32_t> ids_;
  std::vector<std::string_view> texts_;  // data() is null where there is no token
};

}  // namespace embedforge
