#include "texts.h"

namespace embedforge::python {

Texts::Texts(const nanobind::sequence& texts) : held_(nanobind::tuple(texts)) {
  views_.reserve(held_.size());
  for (size_t i = 0; i < held_.size(); ++i) {
    const nanobind::handle text = held_[i];
    if (!PyUnicode_Check(text.ptr())) {
      PyErr_Format(PyExc_TypeError, "text %zu must be a str", i);
      throw nanobind::python_error();
    }
    Py_ssize_t size = 0;
    const char* data = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
    if (data == nullptr) throw nanobind::python_error();
    views_.emplace_back(data, static_cast<size_t>(size));
  }
}

}  // namespace embedforge::python
