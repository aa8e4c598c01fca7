// Takes: keyword arguments. Gives: the fields of an options struct that they set by name. Never:
// ignores one that nobody took, or converts a value to another type.
#pragma once

#include <nanobind/nanobind.h>

#include <algorithm>
#include <set>
#include <string>

#include "embedforge/error.h"

namespace embedforge::python {

class Fields {
 public:
  explicit Fields(const nanobind::dict& given) : given_(given) {}

  /// Sets `field` where its name was given and isn't None; `of` makes it from what was given.
  template <typename Given, typename Field, typename Make>
  void take(const char* name, Field& field, Make of) {
    known_.insert(name);
    if (!given_.contains(name) || given_[name].is_none()) return;
    Given value;
    if (!nanobind::try_cast(nanobind::object(given_[name]), value))
      throw_usage(std::string(name) + " is of a wrong type");
    field = of(std::move(value));
  }
  template <typename Field>
  void take(const char* name, Field& field) {
    take<Field>(name, field, [](Field value) { return value; });
  }

  /// Errors: kUsage for names that nobody took.
  void finish(const std::string& what) const {
    for (const auto& [key, value] : given_) {
      const auto name = nanobind::cast<std::string>(key);
      if (known_.contains(name)) continue;
      std::string names;
      for (const std::string& each : known_) names += (names.empty() ? "" : ", ") + each;
      throw_usage(what + " " + name + " is unknown; known are " + names);
    }
  }

 private:
  const nanobind::dict& given_;
  std::set<std::string> known_;
};

}  // namespace embedforge::python
