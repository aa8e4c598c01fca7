#include "serve/json_body.h"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace embedforge::serve {
namespace {

std::string lower_ascii(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

/// "application/json" and "application/…+json", with or without parameters.
bool says_json(std::string_view content_type) {
  std::string type = lower_ascii(content_type.substr(0, content_type.find(';')));
  type.erase(std::remove(type.begin(), type.end(), ' '), type.end());
  if (type == "application/json") return true;
  return type.starts_with("application/") && type.ends_with("+json");
}

void check_headers(const Request& request, ContentType type) {
  const std::string_view coding = request.header("content-encoding");
  if (!coding.empty() && lower_ascii(coding) != "identity") {
    throw Failure(FailureKind::kMediaType,
                  "a body with Content-Encoding can't be read here: send it as it is");
  }
  const std::string_view given = request.header("content-type");
  if (type == ContentType::kAny || says_json(given)) return;
  if (type == ContentType::kJsonOrNone && given.empty()) return;
  throw Failure(FailureKind::kMediaType,
                "the header Content-Type must be application/json for this path");
}

/// The parser keeps its own stack, so this bounds memory: `[[[[…` costs many times its bytes.
void check_depth(std::string_view text) {
  size_t depth = 0;
  size_t lists = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxJsonDepth) {
        throw Failure(FailureKind::kSyntax, "the body is nested deeper than " +
                                                std::to_string(kMaxJsonDepth) + " levels");
      }
      if (++lists > kMaxJsonLists) {
        throw Failure(
            FailureKind::kSyntax,
            "the body has more than " + std::to_string(kMaxJsonLists) + " lists and objects");
      }
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
}

std::string shown(const Json& value) {
  if (value.is_array() && value.size() > 8) return "a list of " + std::to_string(value.size());
  if (value.is_object()) return "an object";
  if (value.is_string() && value.get_ref<const std::string&>().size() > 40) return "a string";
  const std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  return text.size() > 60 ? text.substr(0, 60) + "..." : text;
}

}  // namespace

Json parse_body(const Request& request, ContentType type) {
  check_headers(request, type);
  if (request.body.empty()) {
    throw Failure(FailureKind::kSyntax, "the body is empty: it must be a JSON object");
  }
  check_depth(request.body);
  Json value;
  try {
    value = Json::parse(request.body);
  } catch (const Json::parse_error& error) {
    throw Failure(FailureKind::kSyntax,
                  "the body is no valid JSON at byte " + std::to_string(error.byte));
  } catch (const Json::out_of_range&) {
    throw Failure(FailureKind::kSyntax, "the body is no valid JSON: a number is out of range");
  }
  if (!value.is_object()) {
    throw Failure(FailureKind::kValidation,
                  "the body must be a JSON object, found " + shown(value));
  }
  return value;
}

void fail_field(const std::string& name, const std::string& expected, const Json& found) {
  throw Failure(FailureKind::kValidation,
                "`" + name + "` must be " + expected + ", found " + shown(found), name);
}

void fail_missing(const std::string& name, const std::string& expected) {
  throw Failure(FailureKind::kValidation, "`" + name + "` is missing: it must be " + expected,
                name);
}

std::string take_string(Json& value, const std::string& name) {
  if (!value.is_string()) fail_field(name, "a string", value);
  return std::move(value.get_ref<std::string&>());
}

Fields::Fields(Json& object, std::string within) : object_(&object), within_(std::move(within)) {
  if (object.is_object()) return;
  const std::string name = within_.substr(0, within_.empty() ? 0 : within_.size() - 1);
  fail_field(name.empty() ? "body" : name, "an object", object);
}

Json* Fields::find(const char* name) const {
  const auto found = object_->find(name);
  return found == object_->end() || found->is_null() ? nullptr : &*found;
}

Json& Fields::need(const char* name, const char* expected) const {
  Json* value = find(name);
  if (value == nullptr) fail_missing(full_name(name), expected);
  return *value;
}

std::string Fields::take_string(const char* name) const {
  Json* value = find(name);
  return value == nullptr ? "" : serve::take_string(*value, full_name(name));
}

std::string Fields::need_string(const char* name) const {
  return serve::take_string(need(name, "a string"), full_name(name));
}

std::vector<std::string> Fields::need_strings(const char* name) const {
  Json& list = need(name, "a list of strings");
  if (!list.is_array()) fail_field(full_name(name), "a list of strings", list);
  std::vector<std::string> strings;
  strings.reserve(list.size());
  for (Json& value : list) {
    strings.push_back(
        serve::take_string(value, full_name(name) + "[" + std::to_string(strings.size()) + "]"));
  }
  return strings;
}

std::optional<bool> Fields::boolean(const char* name) const {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) fail_field(full_name(name), "true or false", *value);
  return value->get<bool>();
}

std::optional<size_t> Fields::count(const char* name) const {
  const Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number_unsigned()) fail_field(full_name(name), "an integer from 0 on", *value);
  return value->get<size_t>();
}

std::optional<Fields> Fields::object(const char* name) const {
  Json* value = find(name);
  if (value == nullptr) return std::nullopt;
  return Fields(*value, full_name(name) + ".");
}

}  // namespace embedforge::serve
