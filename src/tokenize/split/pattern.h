// Takes: a regular expression in Oniguruma's Ruby syntax, or a literal. Gives: its matches in a
// text. Never: runs without limits.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenize/split/splits.h"

namespace embedforge {

/// A compiled pattern; copies share it. Thread-safe.
class Pattern {
 public:
  static Pattern literal(std::string text);
  /// Errors: kBadInput with `where` for what is no regular expression; kNotSupported for Ruby
  /// syntax without an equal in PCRE2.
  static Pattern regex(const std::string& expression, const std::string& where);

  /// Appends the matches and what lies between them: bytes of `text`, each plus `shift`.
  /// Errors: kNotSupported when a match takes more than the limit of steps.
  void find(std::string_view text, uint32_t shift, std::vector<Run>& runs) const;
  /// Whether it can match without a character.
  bool matches_empty() const;

 private:
  struct Regex;
  void find_literal(std::string_view text, uint32_t shift, std::vector<Run>& runs) const;

  std::string literal_;
  std::shared_ptr<const Regex> regex_;  // null: a literal
};

/// The expression in PCRE2's syntax. Ruby's differs: (?m) is PCRE2's (?s), x{n,m}+ repeats and is
/// not possessive, \h is a hexadecimal digit. Errors as Pattern::regex.
std::string translate_regex(const std::string& expression, const std::string& where);

}  // namespace embedforge
