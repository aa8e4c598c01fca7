// Takes: a sequence of Python strings, or an Arrow array of them. Gives: views of their UTF-8,
// valid as long as the value lives. Never: copies a text.
#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <string_view>
#include <vector>

#include "arrow.h"

namespace embedforge::python {

/// Errors: TypeError for what is no str, or a null of Arrow, with its index; UnicodeEncodeError for
/// a lone surrogate.
class Texts {
 public:
  /// A list or tuple, or what has __arrow_c_array__ or __arrow_c_stream__ (pyarrow, polars,
  /// pandas).
  explicit Texts(const nanobind::object& texts);
  const std::vector<std::string_view>& views() const { return views_; }

 private:
  struct Release {
    void operator()(ArrowArray* array) const;
  };
  void take_sequence(const nanobind::object& texts);
  void take_array(const nanobind::object& texts);
  void take_stream(const nanobind::object& texts);
  void add_array(const ArrowSchema& schema, std::unique_ptr<ArrowArray, Release> array);

  nanobind::object held_;  // a tuple: another thread may change the caller's list meanwhile
  std::vector<std::unique_ptr<ArrowArray, Release>> arrays_;
  std::vector<std::string_view> views_;
};

}  // namespace embedforge::python
