// Typed reading of JSON fields. Every error is kBadInput and names the file and the path of the
// field.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace embedforge {

/// A parsed document. Its elements and their strings live as long as it does.
class JsonDocument {
 public:
  /// Errors: kBadInput with the byte for malformed JSON, and for nesting deeper than 64.
  JsonDocument(std::string_view text, const std::string& file);
  simdjson::dom::element root() const { return root_; }

 private:
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
};

/// A JSON value with the name of its file and its path in it, for messages.
class JsonField {
 public:
  JsonField(simdjson::dom::element value, std::string file, std::string path)
      : value_(value), file_(std::move(file)), path_(std::move(path)) {}

  simdjson::dom::element value() const { return value_; }
  const std::string& file() const { return file_; }
  const std::string& path() const { return path_; }

  /// Whether this is an object with a `key` that is not null.
  bool has(std::string_view key) const;
  /// The last value of that key. Errors when this is no object or lacks the key.
  JsonField at(std::string_view key) const;
  /// Time: grows with the index; walk array() where there may be many.
  JsonField at(size_t index) const;
  /// The elements of an array; errors when it is none.
  simdjson::dom::array array() const;
  size_t array_size() const;
  /// The same for arrays whose elements at() reads; errors when there are over a thousand.
  size_t short_array_size() const;

  std::string string() const;
  bool boolean() const;
  int64_t integer(int64_t low, int64_t high) const;
  double number() const;

  std::string string_or(std::string_view key, std::string fallback) const;
  bool boolean_or(std::string_view key, bool fallback) const;
  int64_t integer_or(std::string_view key, int64_t low, int64_t high, int64_t fallback) const;

  [[noreturn]] void bad(const std::string& problem) const;

 private:
  simdjson::dom::element value_;
  std::string file_;
  std::string path_;
};

/// The same as a value that can be changed, for small files. Errors: as JsonDocument's.
nlohmann::json parse_json(std::string_view text, const std::string& file);

}  // namespace embedforge
