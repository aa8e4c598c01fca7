#include "tokenize/json_field.h"

#include <fmt/format.h>

#include "embedforge/error.h"

namespace embedforge {
namespace {

constexpr int kMaxDepth = 64;

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& file) {
  const auto check_depth = [&file](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    if (depth > kMaxDepth) {
      throw_bad_input(fmt::format("{}: JSON nested deeper than {} levels", file, kMaxDepth));
    }
    return true;
  };
  try {
    return nlohmann::json::parse(text, check_depth);
  } catch (const nlohmann::json::parse_error& e) {
    throw_bad_input(fmt::format("{}: not valid JSON at byte {}", file, e.byte));
  } catch (const nlohmann::json::exception&) {
    throw_bad_input(fmt::format("{}: not valid JSON: a number out of range", file));
  }
}

void JsonField::bad(const std::string& problem) const {
  throw_bad_input(fmt::format("{}: {} {}", file_, path_.empty() ? "the document" : path_, problem));
}

bool JsonField::has(std::string_view key) const {
  if (!value_->is_object()) return false;
  const auto it = value_->find(key);
  return it != value_->end() && !it->is_null();
}

JsonField JsonField::at(std::string_view key) const {
  if (!value_->is_object()) bad("must be an object");
  const auto it = value_->find(key);
  if (it == value_->end()) bad(fmt::format("lacks the field '{}'", key));
  return {*it, file_, path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key)};
}

JsonField JsonField::at(size_t index) const {
  return {value_->at(index), file_, fmt::format("{}[{}]", path_, index)};
}

size_t JsonField::array_size() const {
  if (!value_->is_array()) bad("must be an array");
  return value_->size();
}

std::string JsonField::string() const {
  if (!value_->is_string()) bad("must be a string");
  return value_->get<std::string>();
}

bool JsonField::boolean() const {
  if (!value_->is_boolean()) bad("must be true or false");
  return value_->get<bool>();
}

int64_t JsonField::integer(int64_t low, int64_t high) const {
  if (value_->is_number_unsigned()) {
    const auto number = value_->get<uint64_t>();
    if (high >= 0 && number <= static_cast<uint64_t>(high) &&
        (low < 0 || number >= static_cast<uint64_t>(low))) {
      return static_cast<int64_t>(number);
    }
  } else if (value_->is_number_integer()) {
    const auto number = value_->get<int64_t>();
    if (number >= low && number <= high) return number;
  }
  bad(fmt::format("must be a whole number from {} to {}", low, high));
}

double JsonField::number() const {
  if (!value_->is_number()) bad("must be a number");
  return value_->get<double>();
}

std::string JsonField::string_or(std::string_view key, std::string fallback) const {
  return has(key) ? at(key).string() : std::move(fallback);
}

bool JsonField::boolean_or(std::string_view key, bool fallback) const {
  return has(key) ? at(key).boolean() : fallback;
}

int64_t JsonField::integer_or(std::string_view key, int64_t low, int64_t high,
                              int64_t fallback) const {
  return has(key) ? at(key).integer(low, high) : fallback;
}

}  // namespace embedforge
