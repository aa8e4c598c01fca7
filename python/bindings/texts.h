// Takes: a sequence of Python strings. Gives: views of their UTF-8, valid as long as the value
// lives. Never: copies a text.
#pragma once

#include <nanobind/nanobind.h>

#include <string_view>
#include <vector>

namespace embedforge::python {

/// Errors: TypeError for what is no str; UnicodeEncodeError for a lone surrogate.
class Texts {
 public:
  explicit Texts(const nanobind::sequence& texts);
  const std::vector<std::string_view>& views() const { return views_; }

 private:
  nanobind::tuple held_;  // another thread may change the caller's list meanwhile
  std::vector<std::string_view> views_;
};

}  // namespace embedforge::python
