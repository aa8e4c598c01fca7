#include "config/json_file.h"

#include <utility>

#include "base/byte_order_mark.h"
#include "base/mapped_file.h"
#include "embedforge/error.h"

namespace embedforge {
namespace {

/// Deeper nesting than any configuration has; keeps the parser's recursion within the stack.
constexpr int kMaxDepth = 100;

nlohmann::json parse_text(std::string_view text, const std::string& name) {
  bool too_deep = false;
  const auto watch = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    too_deep = too_deep || depth > kMaxDepth;
    return !too_deep;
  };
  try {
    nlohmann::json value = nlohmann::json::parse(without_byte_order_mark(text), watch);
    if (too_deep) throw_bad_input(name + ": JSON nested deeper than 100 levels");
    return value;
  } catch (const nlohmann::json::parse_error& error) {
    throw_bad_input(name + ": not valid JSON at byte " + std::to_string(error.byte));
  } catch (const nlohmann::json::out_of_range&) {
    throw_bad_input(name + ": not valid JSON: a number is out of range");
  }
}

[[noreturn]] void wrong_type(const std::string& name, const std::string& key,
                             const std::string& expected, const nlohmann::json& found) {
  std::string shown = found.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  if (shown.size() > 40) shown = shown.substr(0, 40) + "...";
  throw_bad_input(name + ": field \"" + key + "\" must be " + expected + ", found " + shown);
}

}  // namespace

nlohmann::json read_json(const std::filesystem::path& path) {
  const MappedFile file = MappedFile::open(path);
  const auto bytes = file.bytes();
  return parse_text({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path.string());
}

JsonFile JsonFile::of(nlohmann::json value, const std::string& name) {
  if (!value.is_object()) throw_bad_input(name + ": must hold a JSON object");
  return {std::move(value), name};
}

JsonFile JsonFile::read(const std::filesystem::path& path) {
  return of(read_json(path), path.string());
}

std::optional<JsonFile> JsonFile::read_if_present(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::nullopt;
  return read(path);
}

JsonFile JsonFile::parse(std::string_view text, const std::string& name) {
  return of(parse_text(text, name), name);
}

const nlohmann::json* JsonFile::find(const std::string& key) const {
  const auto it = value_.find(key);
  return it == value_.end() || it->is_null() ? nullptr : &*it;
}

std::string JsonFile::string(const std::string& key, const std::string& otherwise) const {
  const nlohmann::json* field = find(key);
  if (field == nullptr) return otherwise;
  if (!field->is_string()) wrong_type(name_, key, "a string", *field);
  return field->get<std::string>();
}

int64_t JsonFile::integer(const std::string& key, int64_t otherwise) const {
  const nlohmann::json* field = find(key);
  if (field == nullptr) return otherwise;
  if (!field->is_number_integer()) wrong_type(name_, key, "an integer", *field);
  if (field->is_number_unsigned() && field->get<uint64_t>() > INT64_MAX) {
    wrong_type(name_, key, "an integer of 63 bits", *field);
  }
  return field->get<int64_t>();
}

double JsonFile::number(const std::string& key, double otherwise) const {
  const nlohmann::json* field = find(key);
  if (field == nullptr) return otherwise;
  if (!field->is_number()) wrong_type(name_, key, "a number", *field);
  return field->get<double>();
}

bool JsonFile::boolean(const std::string& key, bool otherwise) const {
  const nlohmann::json* field = find(key);
  if (field == nullptr) return otherwise;
  if (!field->is_boolean()) wrong_type(name_, key, "true or false", *field);
  return field->get<bool>();
}

int64_t JsonFile::positive(const std::string& key) const {
  const nlohmann::json* field = find(key);
  if (field == nullptr) throw_bad_input(name_ + ": field \"" + key + "\" is missing");
  const int64_t value = integer(key, 0);
  if (value < 1) wrong_type(name_, key, "at least 1", *field);
  return value;
}

}  // namespace embedforge
