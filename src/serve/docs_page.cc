// The page /docs: the OpenAPI document as plain HTML, without scripts and styles.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "serve/pages.h"

namespace embedforge::serve {
namespace {

using Document = nlohmann::ordered_json;

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '"') {
      out += "&quot;";
    } else {
      out += c;
    }
  }
  return out;
}

std::string text_of(const Document& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? "" : escape_html(found->get_ref<const std::string&>());
}

std::string upper(std::string_view word) {
  std::string out(word);
  for (char& c : out) c = static_cast<char>(c - 'a' + 'A');
  return out;
}

/// The name that a reference ends with.
std::string referred(const Document& schema) {
  const std::string reference = schema["$ref"].get<std::string>();
  return reference.substr(reference.rfind('/') + 1);
}

std::string link_to(const std::string& name) {
  return "<a href=\"#" + name + "\">" + name + "</a>";
}

/// A type in a few words: "list of Text", "string or null".
std::string type_words(const Document& schema) {
  if (schema.contains("$ref")) return link_to(referred(schema));
  if (schema.contains("const")) return "<code>" + escape_html(schema["const"].dump()) + "</code>";
  std::string words;
  const auto add = [&](const std::string& word) {
    if (!words.empty()) words += " or ";
    words += word;
  };
  for (const char* key : {"anyOf", "enum"}) {
    if (!schema.contains(key)) continue;
    for (const Document& one : schema[key]) {
      add(*key == 'e' ? "<code>" + escape_html(one.dump()) + "</code>" : type_words(one));
    }
    return words;
  }
  if (!schema.contains("type")) return "anything";
  const Document types =
      schema["type"].is_array() ? schema["type"] : Document::array({schema["type"]});
  for (const Document& type : types) {
    if (type != "array") {
      add(type.get<std::string>());
    } else {
      add(schema.contains("items") ? "list of " + type_words(schema["items"]) : "list");
    }
  }
  return words;
}

bool is_required(const Document& schema, const std::string& name) {
  if (!schema.contains("required")) return false;
  const Document& names = schema["required"];
  return std::find(names.begin(), names.end(), name) != names.end();
}

void append_schema(std::string& out, const std::string& name, const Document& schema) {
  out += "<h3 id=\"" + name + "\">" + name + "</h3>\n";
  const std::string description = text_of(schema, "description");
  if (!description.empty()) out += "<p>" + description + "</p>\n";
  if (!schema.contains("properties")) {
    out += "<p>" + type_words(schema) + "</p>\n";
    return;
  }
  out += "<dl>\n";
  for (const auto& [field, type] : schema["properties"].items()) {
    out += "<dt><code>" + field + "</code>";
    if (is_required(schema, field)) out += " (required)";
    out += "</dt><dd>" + type_words(type);
    const std::string about = text_of(type, "description");
    out += (about.empty() ? "" : ". " + about) + "</dd>\n";
  }
  out += "</dl>\n";
}

void append_operation(std::string& out, const std::string& path, const std::string& method,
                      const Document& operation) {
  out += "<h3>" + upper(method) + " <code>" + escape_html(path) + "</code></h3>\n<p>" +
         text_of(operation, "summary") + ". " + text_of(operation, "description") + "</p>\n<ul>";
  if (operation.contains("requestBody")) {
    const Document& content = operation["requestBody"]["content"]["application/json"];
    out += "<li>takes " + type_words(content["schema"]) + "</li>";
  }
  for (const auto& [status, response] : operation["responses"].items()) {
    if (!status.starts_with('2')) continue;
    out += "<li>" + status + " gives ";
    const bool json =
        response.contains("content") && response["content"].contains("application/json");
    out += json ? type_words(response["content"]["application/json"]["schema"])
                : text_of(response, "description");
    out += "</li>";
  }
  out += "</ul>\n";
}

std::string render(const Document& document) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
      "<meta name=\"color-scheme\" content=\"light dark\">"
      "<title>embedforge API</title></head>\n<body><main>\n<h1>embedforge API</h1>\n<p>";
  out += text_of(document["info"], "description");
  out += "</p>\n<p>The same for machines: <a href=\"openapi.json\">openapi.json</a>.</p>\n";
  for (const Document& tag : document["tags"]) {
    out += "<h2>" + text_of(tag, "name") + "</h2>\n";
    for (const auto& [path, methods] : document["paths"].items()) {
      for (const auto& [method, operation] : methods.items()) {
        if (operation["tags"][0] == tag["name"]) append_operation(out, path, method, operation);
      }
    }
  }
  out += "<h2>Failures</h2>\n<dl>\n";
  for (const auto& [status, response] : document["paths"]["/embed"]["post"]["responses"].items()) {
    if (status.starts_with('2')) continue;
    const Document& whole = document["components"]["responses"][referred(response)];
    out += "<dt>" + status + "</dt><dd>" + text_of(whole, "description") + "</dd>\n";
  }
  out += "</dl>\n<h2>Bodies</h2>\n";
  for (const auto& [name, schema] : document["components"]["schemas"].items()) {
    append_schema(out, name, schema);
  }
  return out + "</main></body></html>\n";
}

}  // namespace

std::string_view docs_page() {
  static const std::string html = render(Document::parse(openapi_json()));
  return html;
}

}  // namespace embedforge::serve
