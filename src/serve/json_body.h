// Takes: a request's body. Gives: its JSON, and its fields with their types checked. Never: trusts
// it: nesting, encoding and types are bounded, and a wrong field is a Failure that names it.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "serve/failure.h"
#include "serve/message.h"

namespace embedforge::serve {

using Json = nlohmann::json;

/// Brackets within brackets.
inline constexpr size_t kMaxJsonDepth = 64;
/// Lists and objects of a body, which cost 30 times their bytes.
inline constexpr size_t kMaxJsonLists = size_t{1} << 18U;

/// Whether a body must say that it is JSON: text-embeddings-inference wants that; LiteLLM leaves
/// the header out for some providers; Ollama's users type `curl -d`.
enum class ContentType { kMustBeJson, kJsonOrNone, kAny };

/// A JSON object; of a key that is there twice the last one counts. Errors: Failure kMediaType,
/// kSyntax (no JSON, no UTF-8, too deep), kValidation (no object).
Json parse_body(const Request& request, ContentType type = ContentType::kMustBeJson);

/// Errors: Failure kValidation: "`NAME` must be EXPECTED, found …".
[[noreturn]] void fail_field(const std::string& name, const std::string& expected,
                             const Json& found);
/// Errors: Failure kValidation: "`NAME` is missing: …".
[[noreturn]] void fail_missing(const std::string& name, const std::string& expected);

/// The fields of an object within a body, which it borrows and takes strings out of. A field that
/// is null counts as absent. Errors of all: Failure kValidation.
class Fields {
 public:
  /// `within`: what stands before names in messages: "parameters.". Errors: no object.
  explicit Fields(Json& object, std::string within = "");

  /// nullptr: absent.
  Json* find(const char* name) const;
  bool has(const char* name) const { return find(name) != nullptr; }
  /// Errors: absent.
  Json& need(const char* name, const char* expected) const;

  std::string take_string(const char* name) const;  // "": absent
  std::string need_string(const char* name) const;
  std::vector<std::string> need_strings(const char* name) const;  // a list
  std::optional<bool> boolean(const char* name) const;
  bool boolean(const char* name, bool otherwise) const { return boolean(name).value_or(otherwise); }
  /// An integer from 0 on.
  std::optional<size_t> count(const char* name) const;
  std::optional<Fields> object(const char* name) const;

  /// How messages name a field.
  std::string full_name(const char* name) const { return within_ + name; }

 private:
  Json* object_;
  std::string within_;
};

/// The string of a value that is one. Errors: Failure kValidation.
std::string take_string(Json& value, const std::string& name);

}  // namespace embedforge::serve
