// Takes: a JSON file or text. Gives: its value, and its fields with their types checked.
// Never: returns a value of another type than asked for; a wrong one is an error that names file
// and field.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace embedforge {

/// A JSON object with the name that messages give it.
class JsonFile {
 public:
  /// Errors: kBadInput when the file is missing, unreadable, no JSON or no object.
  static JsonFile read(const std::filesystem::path& path);
  /// nullopt when there is no such file.
  static std::optional<JsonFile> read_if_present(const std::filesystem::path& path);
  /// The same from text; `name` stands for the file in messages.
  static JsonFile parse(std::string_view text, const std::string& name);
  /// The same from a value, an object within a file, say.
  static JsonFile of(nlohmann::json value, const std::string& name);

  const nlohmann::json& value() const { return value_; }
  const std::string& name() const { return name_; }
  /// The field, or null when it is absent or null itself.
  const nlohmann::json* find(const std::string& key) const;

  /// Errors: kBadInput with file and field when the field is there but of another type.
  std::string string(const std::string& key, const std::string& otherwise) const;
  int64_t integer(const std::string& key, int64_t otherwise) const;
  double number(const std::string& key, double otherwise) const;
  bool boolean(const std::string& key, bool otherwise) const;
  /// The same for a field that must be there and be at least 1.
  int64_t positive(const std::string& key) const;

 private:
  JsonFile(nlohmann::json value, std::string name)
      : value_(std::move(value)), name_(std::move(name)) {}
  nlohmann::json value_;
  std::string name_;
};

/// Any JSON value of a file (an array, say). Errors: kBadInput as above.
nlohmann::json read_json(const std::filesystem::path& path);

}  // namespace embedforge
