#include "config/known_keys.h"

#include <algorithm>

#include "embedforge/error.h"

namespace embedforge {
namespace {

const KnownKey* find_key(std::initializer_list<KeyTable> tables, std::string_view name) {
  for (const KeyTable table : tables) {
    const auto found = std::ranges::find(table, name, &KnownKey::name);
    if (found != table.end()) return &*found;
  }
  return nullptr;
}

void check_value(const JsonFile& file, const KnownKey& key, const nlohmann::json& value) {
  if (value.is_null()) return;
  const nlohmann::json allowed = nlohmann::json::parse(key.only);
  if (std::ranges::find(allowed, value) != allowed.end()) return;
  std::string names;
  for (const nlohmann::json& each : allowed) names += (names.empty() ? "" : ", ") + each.dump();
  std::string shown = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  if (shown.size() > 80) shown = shown.substr(0, 80) + "...";
  throw_not_supported(file.name() + ": " + std::string(key.name) + " is " + shown + "; supported " +
                      (allowed.empty()       ? "is none"
                       : allowed.size() == 1 ? "is "
                                             : "are ") +
                      names);
}

}  // namespace

void Notices::tell(const std::string& message) const {
  if (strict) throw_not_supported(message);
  if (warn) warn(message);
}

void check_keys(const JsonFile& file, std::initializer_list<KeyTable> tables,
                const Notices& notices) {
  for (const auto& [name, value] : file.value().items()) {
    const KnownKey* key = find_key(tables, name);
    if (key == nullptr) {
      notices.tell(file.name() + ": key \"" + name +
                   "\" is not known; if it changes what the model computes, it is not obeyed");
    } else if (key->use == KnownKey::Use::kOnly) {
      check_value(file, *key, value);
    }
  }
}

}  // namespace embedforge
