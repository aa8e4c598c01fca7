// Takes: text (UTF-8). Gives: token ids with their types, offsets and special marks, as
// tokenizer.json says. Never: pads; knows nothing of models or batches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace embedforge {

/// One text's tokens. Offsets are in Unicode code points of the text as given, as the `tokenizers`
/// package counts them.
struct Encoding {
  std::vector<int32_t> ids;
  std::vector<int32_t> type_ids;
  std::vector<std::string> tokens;
  std::vector<std::pair<uint32_t, uint32_t>> offsets;
  std::vector<uint8_t> special;  // 1 for tokens that the post-processor added
};

/// The end at which a text that is too long is cut.
enum class TruncationSide { kRight, kLeft };

struct TokenizeOptions {
  size_t max_length = 0;  // truncate to this many tokens, special ones included; 0: no truncation
  bool add_special_tokens = true;
  std::optional<TruncationSide> side;  // nullopt: as the tokenizer's files say
};

/// Immutable and thread-safe once loaded.
class Tokenizer {
 public:
  /// `path`: a folder, whose tokenizer.json or older files count as transformers 5 reads them
  /// (tokenizer_config.json, special_tokens_map.json, added_tokens.json, config.json's class), or a
  /// tokenizer.json by itself. `lower_case`: texts become lower case first, special tokens don't.
  /// Errors: kBadInput with file and field; kNotSupported with the component's type or the class.
  static Tokenizer load(const std::filesystem::path& path, bool lower_case = false);
  /// The same from the text of a tokenizer.json; `name` stands for the file in messages.
  static Tokenizer parse(std::string_view json, const std::string& name);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// Appends the ids of `text` to `ids`: the fast path of the engine. Errors: kBadInput for invalid
  /// UTF-8.
  void append_ids(std::string_view text, const TokenizeOptions& options,
                  std::vector<int32_t>& ids) const;
  /// Everything about one text, or about a pair.
  Encoding encode(std::string_view text, const TokenizeOptions& options = {}) const;
  Encoding encode_pair(std::string_view first, std::string_view second,
                       const TokenizeOptions& options = {}) const;
  /// How many ids append_ids gives.
  size_t count_tokens(std::string_view text, const TokenizeOptions& options = {}) const;
  /// The text of tokens; ids that are no token are left out.
  std::string decode(const std::vector<int32_t>& ids, bool skip_special_tokens = true) const;
  size_t vocabulary_size() const;  // largest id + 1

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace embedforge
