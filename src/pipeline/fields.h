// Takes: which fields of a record are its text and its id. Gives: them, or in a few words why a
// record has none. Never: guesses.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace embedforge {

struct Row {
  std::string text;
  std::string id;  // as JSON; "" where no field was named for it
};

struct FieldOptions {
  std::string field;          // "": text
  std::string id_field;       // "": none
  std::string text_template;  // "{title}: {body}"; instead of `field`. {{ and }} are braces
};

/// A template's parts: some text, then a field's name ("" behind the last).
std::vector<std::pair<std::string, std::string>> parse_template(std::string_view text);

class FieldPicker {
 public:
  /// Errors: kUsage for a template with an open brace or without a field, and for one beside
  /// `field`.
  explicit FieldPicker(const FieldOptions& options);
  FieldPicker(FieldPicker&&) noexcept;
  FieldPicker& operator=(FieldPicker&&) noexcept;
  ~FieldPicker();

  /// Of a line of JSON. Gives "" or what is wrong with it.
  std::string from_json(std::string_view line, Row& row);

  /// Which columns hold what. Errors: kBadInput for a column that isn't there, with those that are.
  void set_columns(const std::vector<std::string>& names, const std::string& file);
  std::string from_columns(const std::vector<std::string>& values, Row& row) const;

 private:
  struct Json;
  std::vector<std::pair<std::string, std::string>> parts_;
  std::string id_field_;
  std::vector<size_t> columns_;  // of parts_
  size_t id_column_ = 0, count_ = 0;
  std::unique_ptr<Json> json_;
};

/// A string as JSON has it, quotes included. `text` is UTF-8.
std::string json_string(std::string_view text);

}  // namespace embedforge
