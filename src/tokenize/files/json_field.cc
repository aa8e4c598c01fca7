#include "tokenize/files/json_field.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "base/byte_order_mark.h"
#include "embedforge/error.h"

namespace embedforge {
namespace {

constexpr int kMaxDepth = 64;
constexpr size_t kMostShort = 1000;

bool last_value(simdjson::dom::element object, std::string_view key,
                simdjson::dom::element& found) {
  simdjson::dom::object fields;
  if (object.get(fields)) return false;
  bool any = false;
  for (const auto& [name, value] : fields) {
    if (name != key) continue;
    found = value;
    any = true;
  }
  return any;
}

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& file) {
  text = without_byte_order_mark(text);
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

JsonDocument::JsonDocument(std::string_view text, const std::string& file) {
  text = without_byte_order_mark(text);
  const auto parse = [this](std::string_view json) {
    // Its own limit is a little above ours, which parse_json() checks.
    simdjson::error_code error = parser_.allocate(json.size(), kMaxDepth + 8);
    if (!error) error = parser_.parse(json.data(), json.size()).get(root_);
    return error;
  };
  if (!text.empty() && !parse(text)) return;
  // The other parser says where the error is. What it accepts, such as an integer of more than 64
  // bits, is written anew.
  if (const auto error = parse(parse_json(text, file).dump())) {
    throw_bad_input(fmt::format("{}: not valid JSON: {}", file, simdjson::error_message(error)));
  }
}

void JsonField::bad(const std::string& problem) const {
  throw_bad_input(fmt::format("{}: {} {}", file_, path_.empty() ? "the document" : path_, problem));
}

bool JsonField::has(std::string_view key) const {
  simdjson::dom::element found;
  return last_value(value_, key, found) && !found.is_null();
}

JsonField JsonField::at(std::string_view key) const {
  if (!value_.is_object()) bad("must be an object");
  simdjson::dom::element found;
  if (!last_value(value_, key, found)) bad(fmt::format("lacks the field '{}'", key));
  return {found, file_, path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key)};
}

JsonField JsonField::at(size_t index) const {
  simdjson::dom::element found;
  if (array().at(index).get(found)) bad(fmt::format("lacks the element {}", index));
  return {found, file_, fmt::format("{}[{}]", path_, index)};
}

simdjson::dom::array JsonField::array() const {
  simdjson::dom::array out;
  if (value_.get(out)) bad("must be an array");
  return out;
}

size_t JsonField::array_size() const {
  // The document counts up to 2^24 - 1; from there on we do.
  const simdjson::dom::array all = array();
  constexpr size_t kMostCounted = 0xFFFFFF;
  const size_t size = all.size();
  return size < kMostCounted ? size : static_cast<size_t>(std::distance(all.begin(), all.end()));
}

size_t JsonField::short_array_size() const {
  const size_t size = array_size();
  if (size > kMostShort) bad(fmt::format("has more than {} elements", kMostShort));
  return size;
}

std::string JsonField::string() const {
  std::string_view out;
  if (value_.get(out)) bad("must be a string");
  return std::string(out);
}

bool JsonField::boolean() const {
  bool out = false;
  if (value_.get(out)) bad("must be true or false");
  return out;
}

int64_t JsonField::integer(int64_t low, int64_t high) const {
  int64_t out = 0;
  if (value_.get(out) || out < low || out > high)
    bad(fmt::format("must be a whole number from {} to {}", low, high));
  return out;
}

double JsonField::number() const {
  double out = 0;
  if (value_.get(out)) bad("must be a number");
  return out;
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
