#include "pipeline/fields.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "embedforge/error.h"
#include "tokenize/unicode/utf8.h"

namespace embedforge {
namespace {

using Element = simdjson::dom::element;

constexpr int kMostNesting = 512;

const char* kind_of(Element value) {
  switch (value.type()) {
    case simdjson::dom::element_type::ARRAY:
      return "a list";
    case simdjson::dom::element_type::OBJECT:
      return "an object";
    case simdjson::dom::element_type::BOOL:
      return "true or false";
    case simdjson::dom::element_type::NULL_VALUE:
      return "null";
    case simdjson::dom::element_type::STRING:
      return "a string";
    default:
      return "a number";
  }
}

/// What simdjson refuses is tried once more by a parser that says where it is broken, and that
/// takes integers of any size.
std::string repaired(std::string_view line, std::string& out) {
  const auto limit = [](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    if (depth > kMostNesting) throw_bad_input("too deep");
    return true;
  };
  try {
    out = nlohmann::json::parse(line, limit).dump();
    return "";
  } catch (const nlohmann::json::parse_error& error) {
    return fmt::format("broken JSON at byte {}", error.byte);
  } catch (const nlohmann::json::exception&) {
    return "broken JSON: a number out of range";
  } catch (const Error&) {
    return fmt::format("JSON nested deeper than {} levels", kMostNesting);
  }
}

std::string not_utf8(std::string_view text) {
  const size_t invalid = find_invalid_utf8(text);
  if (invalid == std::string_view::npos) return "";
  return fmt::format("not UTF-8 at byte {} of the text", invalid + 1);
}

}  // namespace

struct FieldPicker::Json {
  simdjson::dom::parser parser{};
};

std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::vector<std::pair<std::string, std::string>> parse_template(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> parts;
  std::string literal;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if ((c == '{' || c == '}') && text.substr(at + 1).starts_with(c)) {
      literal += c;
      ++at;
    } else if (c == '{') {
      const size_t end = text.find('}', at);
      if (end == std::string_view::npos || end == at + 1)
        throw_usage(fmt::format("--template {}: {} at character {}; a brace itself is written {{{{",
                                text, end == at + 1 ? "a field without a name" : "an open brace",
                                at + 1));
      parts.emplace_back(std::move(literal), text.substr(at + 1, end - at - 1));
      literal.clear();
      at = end;
    } else if (c == '}') {
      throw_usage(
          fmt::format("--template {}: a closing brace at character {}; write }}}}", text, at + 1));
    } else {
      literal += c;
    }
  }
  if (parts.empty()) throw_usage(fmt::format("--template {}: names no {{field}}", text));
  if (!literal.empty()) parts.emplace_back(std::move(literal), "");
  return parts;
}

FieldPicker::FieldPicker(const FieldOptions& options)
    : id_field_(options.id_field), json_(std::make_unique<Json>()) {
  if (!options.text_template.empty()) {
    if (!options.field.empty()) throw_usage("--field and --template were both given; use one");
    parts_ = parse_template(options.text_template);
  } else {
    parts_ = {{"", options.field.empty() ? "text" : options.field}};
  }
}
FieldPicker::FieldPicker(FieldPicker&&) noexcept = default;
FieldPicker& FieldPicker::operator=(FieldPicker&&) noexcept = default;
FieldPicker::~FieldPicker() = default;

std::string FieldPicker::from_json(std::string_view line, Row& row) {
  Element root;
  std::string again;
  if (json_->parser.parse(line.data(), line.size(), true).get(root)) {
    std::string reason = not_utf8(line);
    if (reason.empty()) reason = repaired(line, again);
    if (reason.empty() && json_->parser.parse(again).get(root)) reason = "broken JSON";
    if (!reason.empty()) return reason;
  }
  simdjson::dom::object object;
  if (root.get(object)) return fmt::format("{} instead of an object", kind_of(root));
  row.text.clear();
  row.id.clear();
  const bool templated = parts_.size() > 1 || !parts_[0].first.empty();
  for (const auto& [literal, name] : parts_) {
    row.text += literal;
    if (name.empty()) continue;
    Element value;
    if (object.at_key(name).get(value)) return fmt::format("no field {}", json_string(name));
    std::string_view text;
    if (!value.get(text)) {
      row.text += text;
    } else if (templated && (value.is_number() || value.is_bool())) {
      row.text += simdjson::to_string(value);
    } else {
      return fmt::format("field {} is {}, not a string", json_string(name), kind_of(value));
    }
  }
  if (id_field_.empty()) return "";
  Element id;
  if (object.at_key(id_field_).get(id)) return fmt::format("no field {}", json_string(id_field_));
  std::string_view text;
  if (!id.get(text)) {
    row.id = json_string(text);
  } else if (id.is_number()) {
    row.id = simdjson::to_string(id);
  } else {
    return fmt::format("field {} is {}, not a string or number", json_string(id_field_),
                       kind_of(id));
  }
  return "";
}

void FieldPicker::set_columns(const std::vector<std::string>& names, const std::string& file) {
  const auto column = [&](const std::string& name) {
    const auto found = std::ranges::find(names, name);
    if (found != names.end()) return static_cast<size_t>(found - names.begin());
    throw_bad_input(fmt::format("{}: has no column {}; it has {} (--field, --id-field, --template)",
                                file, json_string(name),
                                json_string(fmt::format("{}", fmt::join(names, ", ")))));
  };
  columns_.clear();
  for (const auto& [literal, name] : parts_) columns_.push_back(name.empty() ? 0 : column(name));
  if (!id_field_.empty()) id_column_ = column(id_field_);
  count_ = names.size();
}

std::string FieldPicker::from_columns(const std::vector<std::string>& values, Row& row) const {
  if (values.size() != count_)
    return fmt::format("{} field{}, the header has {}", values.size(),
                       values.size() == 1 ? "" : "s", count_);
  row.text.clear();
  row.id.clear();
  for (size_t i = 0; i < parts_.size(); ++i) {
    row.text += parts_[i].first;
    if (!parts_[i].second.empty()) row.text += values[columns_[i]];
  }
  const std::string_view id = id_field_.empty() ? std::string_view() : values[id_column_];
  for (const std::string_view text : {std::string_view(row.text), id}) {
    if (std::string reason = not_utf8(text); !reason.empty()) return reason;
    if (text.find('\0') != std::string_view::npos) return "a zero byte";
  }
  if (!id_field_.empty()) row.id = json_string(id);
  return "";
}

}  // namespace embedforge
