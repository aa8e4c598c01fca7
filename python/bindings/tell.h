// Takes: a line for the user. Gives: it on Python's sys.stderr, which a notebook shows, too.
// Never: keeps the interpreter's lock.
#pragma once

#include <nanobind/nanobind.h>

#include <string>

namespace embedforge::python {

inline void tell_python(const std::string& message) {
  const nanobind::gil_scoped_acquire locked;
  PySys_FormatStderr("embedforge: %s\n", message.c_str());
}

}  // namespace embedforge::python
