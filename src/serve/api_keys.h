// Takes: the keys that a server is given. Gives: the name of the one that a request brings. Never:
// keeps, logs or compares a key itself: all are compared by their digests, in the same time.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/message.h"

namespace embedforge::serve {

class ApiKeys {
 public:
  /// "key1", "key2", … are their names.
  void add(std::string_view key);
  /// Lines `name: key` or `key`; # begins a comment. Errors: kBadInput with file and line (a name
  /// without a key, a file without keys, one that can't be read). `warn` is told when others may
  /// read the file.
  void add_file(const std::filesystem::path& file,
                const std::function<void(const std::string&)>& warn);

  bool empty() const { return keys_.empty(); }
  /// Authorization, with or without "Bearer", else X-Api-Key. nullopt: none, or a wrong one.
  std::optional<std::string> name_of(const Request& request) const;

 private:
  using Digest = std::array<uint8_t, 32>;  // SHA-256
  struct Key {
    std::string name;
    Digest digest;
  };
  static Digest digest_of(std::string_view key);
  void add(std::string_view name, std::string_view key);
  std::vector<Key> keys_;
};

}  // namespace embedforge::serve
