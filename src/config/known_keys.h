// Takes: a JSON file of a model, and tables of the keys that it may have. Gives: nothing, or what
// is wrong: a setting that isn't obeyed is an error, a key that no table knows a notice. Never:
// lets a key pass that could change a vector.
#pragma once

#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "config/json_file.h"

namespace embedforge {

/// Where it is told what isn't known. The default says nothing: for files that were checked before.
struct Notices {
  std::function<void(const std::string&)> warn;
  bool strict = false;  // what would be warned of is an error

  /// Errors: kNotSupported with the message when strict.
  void tell(const std::string& message) const;
};

/// What a key of a file means.
///   kUsed      it is read and obeyed
///   kHarmless  no value of it can change a vector
///   kOnly      obeyed as long as it has one of the values that `only` lists, as a JSON array; a
///              null is always one
struct KnownKey {
  enum class Use { kUsed, kHarmless, kOnly };
  std::string_view name;
  Use use = Use::kUsed;
  std::string_view only = {};
};

using KeyTable = std::span<const KnownKey>;

/// The first table that has a key decides. Errors: kNotSupported naming file, key, value and the
/// values that are supported; what notices.tell() throws.
void check_keys(const JsonFile& file, std::initializer_list<KeyTable> tables,
                const Notices& notices);

}  // namespace embedforge
